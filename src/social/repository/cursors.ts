import type { ClientSession, Db } from 'mongodb'

/** The place where the next run of one resource goes on. */
export interface StoredCursor {
  workspaceId: string
  accountId: string
  newestId: string | null
  oldestId: string | null
  isBackfillDone: boolean
  /** Posts that the backfill has stored. */
  backfilled: number
  /** Posts of the account that are kept. */
  stored: number
  /** What the newest run has done up to here: a start that follows counts on. */
  run: { id: string, pages: number, items: number } | null
  /** Where a full re-read stands; null while none is under way. */
  fullId: string | null
  /** The newest items that were refused, with the pointers to what was wrong in them. */
  quarantined: Array<{ at: Date, pointers: string[] }>
  version: number
}

interface Row extends StoredCursor { _id: string, createdAt: Date, updatedAt: Date }

export type CursorRepository = ReturnType<typeof createCursorRepository>

export function createCursorRepository (db: Db) {
  const rows = db.collection<Row>('social.cursors')
  return {
    async add (session: ClientSession, workspaceId: string, accountId: string, now: Date): Promise<void> {
      await rows.updateOne(
        { _id: keyOf(accountId), workspaceId },
        {
          $setOnInsert: {
            accountId,
            newestId: null,
            oldestId: null,
            isBackfillDone: false,
            backfilled: 0,
            stored: 0,
            run: null,
            fullId: null,
            quarantined: [],
            version: 1,
            createdAt: now,
            updatedAt: now
          }
        },
        { session, upsert: true })
    },

    async find (workspaceId: string, accountId: string): Promise<StoredCursor | undefined> {
      return await rows.findOne(
        { _id: keyOf(accountId), workspaceId }, { projection: { _id: 0, createdAt: 0, updatedAt: 0 } }) ?? undefined
    },

    /** Moves the cursor of exactly this version; undefined when another run was faster. */
    async move (
      session: ClientSession, cursor: StoredCursor,
      to: Partial<Omit<StoredCursor, 'workspaceId' | 'accountId' | 'version'>>, now: Date
    ): Promise<StoredCursor | undefined> {
      const { matchedCount } = await rows.updateOne(
        { _id: keyOf(cursor.accountId), workspaceId: cursor.workspaceId, version: cursor.version },
        { $set: { ...to, updatedAt: now }, $inc: { version: 1 } },
        { session })
      return matchedCount === 1 ? { ...cursor, ...to, version: cursor.version + 1 } : undefined
    }
  }
}

function keyOf (accountId: string): string {
  return `${accountId}|posts`
}
