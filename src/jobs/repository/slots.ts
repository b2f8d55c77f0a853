import type { Db } from 'mongodb'
import type { RunState, Session } from '../../kernel/index.ts'
import type { RunRow } from '../run.ts'
import type { SlotRow } from '../schedules/row.ts'

export type SlotRepository = ReturnType<typeof createSlotRepository>

/** What became of every slot; a slot belongs to its schedule, which its caller has looked up. */
export function createSlotRepository (db: Db) {
  const rows = db.collection<SlotRow>('jobs.slots')
  const runs = db.collection<RunRow>('jobs.runs')

  return {
    /** Writes slots that cannot exist yet. */
    async insert (session: Session, slots: readonly SlotRow[]): Promise<void> {
      if (slots.length > 0) await rows.insertMany([...slots], { session })
    },

    /** Writes slots, over those that had no run. */
    async put (session: Session, slots: readonly SlotRow[]): Promise<void> {
      if (slots.length === 0) return
      await rows.bulkWrite(slots.map(({ _id, scheduleId, slotAt, ...slot }) => ({
        updateOne: {
          filter: { scheduleId, slotAt }, update: { $set: slot, $setOnInsert: { _id } }, upsert: true
        }
      })), { session })
    },

    /** Times of those of the slots that have a run. */
    async withRun (session: Session, scheduleId: string, range: { from: Date, to: Date }): Promise<Set<number>> {
      const found = await rows.find(
        { scheduleId, slotAt: { $gte: range.from, $lte: range.to }, runId: { $ne: null } },
        { projection: { slotAt: 1 }, session }
      ).limit(5000).toArray()
      return new Set(found.map(({ slotAt }) => slotAt.getTime()))
    },

    /** Newest first, each with the state of its run. */
    async list (
      scheduleId: string, { before, limit }: { before?: Date | undefined, limit: number }
    ): Promise<Array<SlotRow & { runState: RunState | null }>> {
      const found = await rows.find({ scheduleId, ...(before === undefined ? {} : { slotAt: { $lt: before } }) })
        .sort({ slotAt: -1 }).limit(limit).toArray()
      const ids = found.flatMap(({ runId }) => runId ?? [])
      const states = await runs.find({ _id: { $in: ids } }, { projection: { state: 1 } }).toArray()
      const stateOf = new Map(states.map(({ _id, state }) => [_id, state]))
      return found.map((slot) => ({ ...slot, runState: stateOf.get(slot.runId ?? '') ?? null }))
    }
  }
}
