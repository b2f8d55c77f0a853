import type { Db } from 'mongodb'
import { createCapturedMailRepository } from './captured-mails.ts'
import { createInboxRepository } from './inbox.ts'
import { createMessageRepository } from './messages.ts'
import { createWorkflowRepository } from './workflow.ts'

export type { CapturedMailRepository } from './captured-mails.ts'
export type { Counters, InboxQuery, InboxRepository, Item, ItemMarks } from './inbox.ts'
export type { Attempt, Message, MessageRepository, MessageState } from './messages.ts'
export type { Run, Trigger, WorkflowRepository } from './workflow.ts'

export type Repositories = ReturnType<typeof createRepositories>

/** The only speakers of MongoDB in this domain. */
export function createRepositories (db: Db) {
  return {
    capturedMails: createCapturedMailRepository(db),
    inbox: createInboxRepository(db),
    messages: createMessageRepository(db),
    workflow: createWorkflowRepository(db)
  }
}
