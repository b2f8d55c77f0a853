import type { Binary, Db } from 'mongodb'
import type { ProcessId } from '../../kernel/index.ts'

interface Row extends ProcessId {
  _id: string
  role: string
  /** Logical session ids that may have a transaction open: what `killSessions` takes. */
  sessions: Binary[]
  seenAt: Date
}

export interface ProcessEntry extends ProcessId { id: string, seenAt: Date }

export type ProcessRepository = ReturnType<typeof createProcessRepository>

/** The running processes of the installation (P) and the sessions that each of them uses (`house.md` 4, 10). */
export function createProcessRepository (db: Db) {
  const rows = db.collection<Row>('sys.processes')
  return {
    /** Writes the process down, or that it is still there; with all its sessions, in case the row was lost. */
    async see ({ id, ...process }: ProcessId & { id: string, role: string }, sessions: Binary[]): Promise<void> {
      await rows.updateOne(
        { _id: id },
        [{ $set: { ...process, sessions: { $literal: sessions }, seenAt: '$$NOW' } }],
        { upsert: true, writeConcern: { w: 'majority' } })
    },

    async remove (id: string): Promise<void> {
      await rows.deleteOne({ _id: id })
    },

    async list (): Promise<ProcessEntry[]> {
      const found = await rows.find({}, { projection: { sessions: 0 } }).toArray()
      return found.map(({ _id, host, pid, startedAt, seenAt }) => ({ id: _id, host, pid, startedAt, seenAt }))
    },

    /** Ends every transaction that the process left open: on the server it would hold its documents for a minute. */
    async killSessions (id: string): Promise<void> {
      const row = await rows.findOne({ _id: id }, { projection: { sessions: 1 } })
      if (row === null || row.sessions.length === 0) return
      await db.command({ killSessions: row.sessions.map((session) => ({ id: session })) })
    }
  }
}
