import type { Db } from 'mongodb'
import type { Session } from '../../kernel/index.ts'
import type { RecipientKind } from './workflow.ts'

export type MessageState = 'queued' | 'sent' | 'failed' | 'unknown' | 'expired'

export interface Message {
  id: string
  workspaceId: string
  runId: string
  triggerId: string
  step: number
  workflow: string
  channel: 'email'
  recipientKind: RecipientKind
  recipientId: string
  targetHash: string
  /** The address, sealed under the data key of its owner. */
  target: Buffer
  state: MessageState
  reason: string | null
  deadline: Date | null
  createdAt: Date
  updatedAt: Date
}

export interface Attempt {
  messageId: string
  n: number
  provider: string
  state: 'sending' | 'sent' | 'failed' | 'unknown'
  class: string | null
  startedAt: Date
  endedAt: Date | null
}

type MessageRow = Omit<Message, 'id'> & { _id: string }
type AttemptRow = Attempt & { _id: string, workspaceId: string }

export type MessageRepository = ReturnType<typeof createMessageRepository>

/** Messages and the ledger of their attempts. */
export function createMessageRepository (db: Db) {
  const messages = db.collection<MessageRow>('notifications.messages', { promoteBuffers: true })
  const attempts = db.collection<AttemptRow>('notifications.attempts')
  return {
    /** False where this run has its message to this target already. */
    async add (session: Session, { id, runId, step, channel, targetHash, ...message }: Message): Promise<boolean> {
      const { upsertedCount } = await messages.updateOne(
        { runId, step, channel, targetHash }, { $setOnInsert: { _id: id, ...message } }, { session, upsert: true })
      return upsertedCount === 1
    },

    async find (workspaceId: string, id: string): Promise<Message | undefined> {
      const row = await messages.findOne({ _id: id, workspaceId })
      if (row === null) return undefined
      const { _id, ...message } = row
      return { id: _id, ...message }
    },

    /** From queued to its end; false where it has ended. */
    async settle (
      session: Session, { workspaceId, id }: Message, end: { state: MessageState, reason: string | null, at: Date }
    ): Promise<boolean> {
      const { matchedCount } = await messages.updateOne(
        { _id: id, workspaceId, state: 'queued' },
        { $set: { state: end.state, reason: end.reason, updatedAt: end.at } }, { session })
      return matchedCount === 1
    },

    async lastAttempt ({ workspaceId, id }: Message): Promise<Attempt | undefined> {
      return await attempts.findOne(
        { messageId: id, workspaceId }, { sort: { n: -1 }, projection: { _id: 0 } }
      ) ?? undefined
    },

    /** False where another start has this number. */
    async beginAttempt (
      session: Session, { workspaceId, id }: Message, n: number, provider: string, at: Date
    ): Promise<boolean> {
      const { upsertedCount } = await attempts.updateOne(
        { messageId: id, n },
        {
          $setOnInsert: {
            _id: `${id}:${n}`, workspaceId, provider, state: 'sending', class: null, startedAt: at, endedAt: null
          }
        },
        { session, upsert: true })
      return upsertedCount === 1
    },

    async endAttempt (
      session: Session, { workspaceId, id }: Message, n: number,
      end: { state: Attempt['state'], class: string | null, at: Date }
    ): Promise<void> {
      await attempts.updateOne(
        { messageId: id, n, workspaceId },
        { $set: { state: end.state, class: end.class, endedAt: end.at } }, { session })
    }
  }
}
