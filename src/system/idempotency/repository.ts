import type { Binary, ClientSession, Db } from 'mongodb'

/** An answer as it is given again. */
export interface StoredAnswer { status: number, headers: Record<string, string>, body: Buffer }

export interface KeyEntry {
  id: string
  workspaceId: string
  fingerprint: string
  state: 'running' | 'effected' | 'done'
  lock: string
  lockedUntil: Date
  /** Where the effect can be seen, should its answer be lost. */
  location: string
  answer?: StoredAnswer
}

interface Row extends Omit<KeyEntry, 'id' | 'answer'> {
  _id: string
  expiresAt: Date
  answer?: Omit<StoredAnswer, 'body'> & { body: Binary }
}

export type IdempotencyRepository = ReturnType<typeof createIdempotencyRepository>

export function createIdempotencyRepository (db: Db) {
  const rows = db.collection<Row>('sys.idempotency_keys')
  return {
    /** Writes the key down; false where it is there already. */
    async insert ({ id, ...entry }: Omit<KeyEntry, 'answer'>, expiresAt: Date): Promise<boolean> {
      try {
        await rows.insertOne({ _id: id, ...entry, expiresAt })
        return true
      } catch (error) {
        if ((error as { code?: number }).code === 11000) return false
        throw error
      }
    },

    async find (id: string): Promise<KeyEntry | undefined> {
      const row = await rows.findOne({ _id: id })
      return row === null ? undefined : toEntry(row)
    },

    /** Takes a lapsed lock over; false where somebody was faster. */
    async takeOver (id: string, from: string, lock: string, now: Date, lockedUntil: Date): Promise<boolean> {
      const { matchedCount } = await rows.updateOne(
        { _id: id, lock: from, state: 'running', lockedUntil: { $lte: now } }, { $set: { lock, lockedUntil } })
      return matchedCount === 1
    },

    /** Notes in the transaction of the effect that it happened; false where the lock is somebody else's by now. */
    async effect (session: ClientSession, id: string, lock: string): Promise<boolean> {
      const { matchedCount } = await rows.updateOne(
        { _id: id, lock, state: { $in: ['running', 'effected'] } }, { $set: { state: 'effected' } }, { session })
      return matchedCount === 1
    },

    async finish (id: string, lock: string, answer: StoredAnswer): Promise<void> {
      await rows.updateOne({ _id: id, lock }, { $set: { state: 'done', answer: answer as never } })
    },

    /** Forgets a key whose request had no effect. */
    async release (id: string, lock: string): Promise<void> {
      await rows.deleteOne({ _id: id, lock, state: 'running' })
    }
  }
}

function toEntry ({ _id, expiresAt: _expiresAt, answer, ...row }: Row): KeyEntry {
  if (answer === undefined) return { id: _id, ...row }
  return { id: _id, ...row, answer: { ...answer, body: Buffer.from(answer.body.buffer) } }
}
