import type { Db } from 'mongodb'
import type { ActorRef, Cause, Session, Subject } from '../../kernel/index.ts'

/** A document of `jobs.events`. */
export interface EventRow {
  _id: string
  workspaceId: string
  type: string
  v: number
  subject: Subject
  data: unknown
  at: Date
  subscribers: string[]
  cause?: Cause
  actor?: ActorRef
  trace?: string
  expireAt?: Date
}

export type EventRepository = ReturnType<typeof createEventRepository>

/** The log of events. */
export function createEventRepository (db: Db) {
  const rows = db.collection<EventRow>('jobs.events')
  return {
    /** Appends; answers the one, if any, whose subject has an event of its version already. */
    async append (session: Session, events: readonly EventRow[]): Promise<EventRow | undefined> {
      const plain = events.filter(({ subject }) => subject.version === undefined)
      if (plain.length > 0) await rows.insertMany(plain, { session })
      for (const event of events) {
        const { workspaceId, subject } = event
        if (subject.version === undefined) continue
        const { upsertedCount } = await rows.updateOne({
          workspaceId, 'subject.type': subject.type, 'subject.id': subject.id, 'subject.version': subject.version
        }, { $setOnInsert: withoutSubject(event) }, { session, upsert: true })
        if (upsertedCount !== 1) return event
      }
      return undefined
    },

    /** Events of one subject in ascending version. */
    async ofSubject (
      { workspaceId, type, subject, fromVersion, limit }:
      { workspaceId: string, type: string, subject: { type: string, id: string }, fromVersion: number, limit: number }
    ): Promise<EventRow[]> {
      return await rows.find({
        workspaceId, type, 'subject.type': subject.type, 'subject.id': subject.id, 'subject.version': {
          $gte: fromVersion
        }
      }).sort({ 'subject.version': 1 }).limit(limit).toArray()
    }
  }
}

/** An upsert takes the workspace and the subject from its filter. */
function withoutSubject ({ workspaceId, subject, ...rest }: EventRow): Omit<EventRow, 'workspaceId' | 'subject'> {
  return rest
}
