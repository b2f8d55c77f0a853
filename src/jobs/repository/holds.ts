import type { Db } from 'mongodb'
import type { Pause } from './pauses.ts'

/** Of a document that may also say what the target holds at once (`repository/resources.ts`). */
interface Target { _id: string, holdUntil?: Date, probe?: boolean, rev?: number }

export interface Hold { target: string, untilMs: number, isProbe: boolean }

export type HoldRepository = ReturnType<typeof createHoldRepository>

/** What holds runs up that are due: targets on hold, and pauses (P). */
export function createHoldRepository (db: Db) {
  const targets = db.collection<Target>('jobs.resources')

  return {
    /** Both in one question: it is asked every second, also where nothing goes on. */
    async read (): Promise<{ holds: Hold[], pauses: Pause[] }> {
      const found = await targets.aggregate<{ target?: Required<Target>, pause?: Pause }>([
        // A partial index is used where its field is compared.
        { $match: { holdUntil: { $gt: new Date(0) } } },
        { $replaceWith: { target: '$$ROOT' } },
        { $unionWith: { coll: 'jobs.pauses', pipeline: [{ $replaceWith: { pause: '$$ROOT' } }] } }
      ]).toArray()
      return {
        holds: found.flatMap(({ target }) => target === undefined
          ? []
          : [{ target: target._id, untilMs: target.holdUntil.getTime(), isProbe: target.probe }]),
        pauses: found.flatMap(({ pause }) => pause ?? [])
      }
    },

    /** Keeps a target from being called until then; `isProbe`: only one run goes first afterwards. */
    async hold (target: string, until: Date, isProbe: boolean): Promise<void> {
      try {
        await targets.updateOne(
          { _id: target }, { $max: { holdUntil: until }, $set: { probe: isProbe } }, { upsert: true }
        )
      } catch (error) {
        if ((error as { code?: number }).code !== 11000) throw error
      }
    },

    async unhold (target: string, until: Date): Promise<void> {
      const { deletedCount } = await targets.deleteOne(
        { _id: target, holdUntil: { $lte: until }, rev: { $exists: false } })
      if (deletedCount === 0) {
        await targets.updateOne({ _id: target, holdUntil: { $lte: until } }, { $unset: { holdUntil: '', probe: '' } })
      }
    }
  }
}
