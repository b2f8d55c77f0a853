import type { Db } from 'mongodb'
import type { Session } from '../../kernel/index.ts'

export type RecipientKind = 'user' | 'flow'

export interface Trigger {
  id: string
  workspaceId: string
  workflow: string
  workflowVersion: number
  eventId: string
  recipientKind: RecipientKind
  recipients: string[]
  data: Record<string, unknown>
  createdAt: Date
}

export interface Decision { step: number, channel: string, rule: string, at: Date }

export interface Run {
  id: string
  workspaceId: string
  triggerId: string
  workflow: string
  eventId: string
  recipientId: string
  step: number
  state: 'running' | 'done'
  trace: Decision[]
  createdAt: Date
}

type Stored<T extends { id: string }> = Omit<T, 'id'> & { _id: string }

export type WorkflowRepository = ReturnType<typeof createWorkflowRepository>

export function createWorkflowRepository (db: Db) {
  const triggers = db.collection<Stored<Trigger>>('notifications.triggers')
  const runs = db.collection<Stored<Run>>('notifications.runs')
  return {
    /** False where the event has its trigger already. */
    async addTrigger (session: Session, { id, workflow, eventId, ...trigger }: Trigger): Promise<boolean> {
      const { upsertedCount } = await triggers.updateOne(
        { workflow, eventId }, { $setOnInsert: { _id: id, ...trigger } }, { session, upsert: true })
      return upsertedCount === 1
    },

    async trigger (workspaceId: string, id: string): Promise<Trigger | undefined> {
      const row = await triggers.findOne({ _id: id, workspaceId })
      if (row === null) return undefined
      const { _id, ...trigger } = row
      return { id: _id, ...trigger }
    },

    /** Adds the runs that do not exist yet; answers those. */
    async addRuns (session: Session, fresh: readonly Run[]): Promise<Run[]> {
      if (fresh.length === 0) return []
      const { upsertedIds } = await runs.bulkWrite(fresh.map(({ id, workflow, eventId, recipientId, ...run }) => ({
        updateOne: {
          filter: { workflow, eventId, recipientId }, update: { $setOnInsert: { _id: id, ...run } }, upsert: true
        }
      })), { session })
      return fresh.filter((_, index) => upsertedIds[index] !== undefined)
    },

    async run (workspaceId: string, id: string): Promise<Run | undefined> {
      const row = await runs.findOne({ _id: id, workspaceId })
      if (row === null) return undefined
      const { _id, ...run } = row
      return { id: _id, ...run }
    },

    /** Takes exactly this step; false when it was taken before. */
    async takeStep (
      session: Session, { workspaceId, id }: Run, step: number, state: Run['state'], decision: Decision
    ): Promise<boolean> {
      const { matchedCount } = await runs.updateOne(
        { _id: id, workspaceId, step, state: 'running' },
        { $set: { step: step + 1, state }, $push: { trace: { $each: [decision], $slice: -40 } } },
        { session })
      return matchedCount === 1
    }
  }
}
