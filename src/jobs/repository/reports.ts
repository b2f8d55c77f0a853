import type { Db } from 'mongodb'
import type { Session, TableFormat } from '../../kernel/index.ts'
import type { Scope } from '../access.ts'
import { within } from './control.ts'

const mostMs = 10_000

export interface ReportFile { format: TableFormat, key: string, bytes: number, sha256: string, type: string }

/** A document of `jobs.reports`: one revision. */
export interface ReportRow {
  /** The run that made it. */
  _id: string
  workspaceId: string
  name: string
  version: number
  period: string
  zone: string
  revision: number
  /** sha-256 of the rows, whatever the format. */
  hash: string
  files: ReportFile[]
  rows: number
  state: 'ready'
  createdAt: Date
}

export type ReportRepository = ReturnType<typeof createReportRepository>

export function createReportRepository (db: Db) {
  const rows = db.collection<ReportRow>('jobs.reports')
  return {
    async find (scope: Scope, id: string): Promise<ReportRow | undefined> {
      return await rows.findOne({ ...within(scope), _id: id }) ?? undefined
    },

    /** Revisions of a report of all periods, the newest first, one more than `limit`. */
    async list (
      scope: Scope, { name, after, limit }: { name: string, after?: string | undefined, limit: number }
    ): Promise<ReportRow[]> {
      return await rows.find({ ...within(scope), name, ...(after === undefined ? {} : { _id: { $lt: after } }) })
        .sort({ _id: -1 }).limit(limit + 1).maxTimeMS(mostMs).toArray()
    },

    async latest (
      workspaceId: string, name: string, period: string, session?: Session
    ): Promise<ReportRow | undefined> {
      const [row] = await rows.find({ workspaceId, name, period }, { ...(session && { session }) })
        .sort({ revision: -1 }).limit(1).toArray()
      return row
    },

    /** The newest revision of each report, by name. */
    async newest (scope: Scope, names: readonly string[]): Promise<Map<string, ReportRow>> {
      const found = await Promise.all(names.map(async (name) => {
        const [row] = await rows.find({ ...within(scope), name }).sort({ period: -1, revision: -1 }).limit(1)
          .maxTimeMS(mostMs).toArray()
        return row
      }))
      return new Map(found.flatMap((row) => row === undefined ? [] : [[row.name, row]]))
    },

    /** The unique revision is the last guard: a race leaves the transaction and the run is tried again. */
    async add (session: Session, row: ReportRow): Promise<void> {
      await rows.insertOne(row, { session })
    }
  }
}
