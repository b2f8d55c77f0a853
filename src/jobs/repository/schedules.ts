import type { Db, Filter } from 'mongodb'
import type { RunState, Session } from '../../kernel/index.ts'
import { expiryOf, mostTold, type Cancel, type RunRow } from '../run.ts'
import type { ScheduleRow } from '../schedules/row.ts'

const notEnded: RunState[] = ['blocked', 'pending', 'published', 'running']
/** What no worker has: it ends at once. */
const notStarted: RunState[] = ['blocked', 'pending', 'published']
const byDefault = { w: 1 } as const

/** One schedule whose due slots are settled. */
export interface Move { id: string, rev: number, from: Date, lastSlotAt: Date, nextSlotAt: Date | null }

export type ScheduleRepository = ReturnType<typeof createScheduleRepository>

/** Schedules, and what became of their runs. An empty workspace owns those of the installation. */
export function createScheduleRepository (db: Db) {
  const rows = db.collection<ScheduleRow>('jobs.schedules')
  const runs = db.collection<RunRow & { cancel?: Cancel }>('jobs.runs')
  const ofSchedule = (id: string): Filter<RunRow> => ({ 'cause.kind': 'schedule', 'cause.id': id })

  return {
    /** False where the workspace has one of this name. */
    async add (row: ScheduleRow): Promise<boolean> {
      try {
        await rows.insertOne(row)
        return true
      } catch (error) {
        if ((error as { code?: number }).code === 11000) return false
        throw error
      }
    },

    /** `workspaceId` undefined: of any workspace (P). */
    async find (workspaceId: string | undefined, id: string): Promise<ScheduleRow | undefined> {
      return await rows.findOne({ _id: id, ...(workspaceId === undefined ? {} : { workspaceId }) }) ?? undefined
    },

    async list (
      workspaceId: string | undefined, { before, limit, isEnabled }: {
        before?: string | undefined, limit: number, isEnabled?: boolean | undefined
      }
    ): Promise<ScheduleRow[]> {
      return await rows.find({
        ...(workspaceId === undefined ? {} : { workspaceId }),
        ...(before === undefined ? {} : { _id: { $lt: before } }),
        ...(isEnabled === undefined ? {} : { isEnabled })
      }).sort({ _id: -1 }).limit(limit).toArray()
    },

    /** Schedules of the installation that were declared once (P). */
    async declared (): Promise<ScheduleRow[]> {
      return await rows.find({ workspaceId: '', declared: { $ne: null } }).toArray()
    },

    async byName (workspaceId: string, name: string): Promise<ScheduleRow | undefined> {
      return await rows.findOne({ workspaceId, name }) ?? undefined
    },

    /** Changes exactly this version; false when somebody was faster. */
    async change (
      { _id, rev }: Pick<ScheduleRow, '_id' | 'rev'>, set: Partial<ScheduleRow>, session?: Session
    ): Promise<boolean> {
      const { matchedCount } = await rows.updateOne(
        { _id, rev }, { $set: set, $inc: { rev: 1 } }, session === undefined ? {} : { session })
      return matchedCount === 1
    },

    async remove (workspaceId: string | undefined, id: string): Promise<boolean> {
      const { deletedCount } = await rows.deleteOne(
        { _id: id, ...(workspaceId === undefined ? {} : { workspaceId }) })
      return deletedCount === 1
    },

    /** Enabled schedules whose next slot is at most then, the earliest first (P). */
    async due (until: Date, limit: number): Promise<ScheduleRow[]> {
      return await rows.find({ isEnabled: true, nextSlotAt: { $lte: until } })
        .sort({ nextSlotAt: 1 }).limit(limit).toArray()
    },

    /** When the first slot is due after then, or at all (P). */
    async nextAt (after?: Date): Promise<Date | undefined> {
      const [next] = await rows.find(
        { isEnabled: true, nextSlotAt: { $gt: after ?? new Date(0) } }, { projection: { nextSlotAt: 1 } }
      ).sort({ nextSlotAt: 1 }).limit(1).toArray()
      return next?.nextSlotAt ?? undefined
    },

    /** Enabled schedules whose next slot was found by other zone data (P). */
    async ofOtherZoneData (version: string): Promise<ScheduleRow[]> {
      return await rows.find({ isEnabled: true, zoneData: { $ne: version } }).toArray()
    },

    /** Moves schedules on; how many of them stood where they were read (P). */
    async move (session: Session, moves: readonly Move[]): Promise<number> {
      const { matchedCount } = await rows.bulkWrite(moves.map(({ id, rev, from, lastSlotAt, nextSlotAt }) => ({
        updateOne: {
          filter: { _id: id, rev, lastSlotAt: from, isEnabled: true }, update: { $set: { lastSlotAt, nextSlotAt } }
        }
      })), { session })
      return matchedCount
    },

    /** Takes the turn of a schedule inside a transaction: who decides about its slots meanwhile conflicts. */
    async turn (session: Session, id: string): Promise<ScheduleRow | undefined> {
      return await rows.findOneAndUpdate(
        { _id: id }, { $inc: { turns: 1 } }, { session, returnDocument: 'after' }) ?? undefined
    },

    /** How many runs of each schedule have not ended (P). */
    async live (session: Session, ids: readonly string[]): Promise<Map<string, number>> {
      const counts = await runs.aggregate<{ _id: string, count: number }>([
        { $match: { 'cause.kind': 'schedule', 'cause.id': { $in: [...ids] }, state: { $in: notEnded } } },
        { $group: { _id: '$cause.id', count: { $sum: 1 } } }
      ], { session }).toArray()
      return new Map(counts.map(({ _id, count }) => [_id, count]))
    },

    /** Runs of a schedule that have not ended, the oldest first; those that started carry their start (P). */
    async liveRuns (id: string): Promise<Array<{ startedAt: Date | null }>> {
      const found = await runs.find(
        { ...ofSchedule(id), state: { $in: notEnded } }, { projection: { state: 1, startedAt: 1 } }
      ).sort({ _id: 1 }).limit(200).toArray()
      return found.map(({ state, startedAt }) => ({ startedAt: state === 'running' ? startedAt ?? null : null }))
    },

    /** How long the last runs of a schedule took, in milliseconds (P). */
    async runTimes (id: string): Promise<number[]> {
      const found = await runs.find(
        { ...ofSchedule(id), state: 'done' }, { projection: { startedAt: 1, endedAt: 1 } }
      ).sort({ endedAt: -1 }).limit(10).toArray()
      return found.flatMap(({ startedAt, endedAt }) =>
        startedAt === undefined || endedAt === undefined ? [] : [endedAt.getTime() - startedAt.getTime()])
    },

    /** Ends the runs of a schedule that nobody works on, asks for the end of those at work; some that ended (P). */
    async cancelRuns (session: Session, id: string, now: Date): Promise<string[]> {
      await runs.updateMany({ ...ofSchedule(id), state: { $in: notStarted } }, {
        $set: {
          state: 'cancelled', isLive: false, endedAt: now, updatedAt: now, ...expiryOf('cancelled', now.getTime())
        }
      }, { session })
      const cancel = { at: now, reason: 'overlap', by: 'schedule' }
      await runs.updateMany({ ...ofSchedule(id), state: 'running' }, { $set: { cancel } }, { session })
      const ended = await runs.find(
        { ...ofSchedule(id), state: 'cancelled', endedAt: now }, { session, projection: { _id: 1 } }
      ).limit(mostTold).toArray()
      return ended.map(({ _id }) => _id)
    },

    /** Schedules with a run that died since then, and those that were failing before (P). */
    async failing (since: Date, options: { alsoKnown: boolean }): Promise<string[]> {
      const died = await runs.distinct(
        'cause.id', { 'cause.kind': 'schedule', state: 'dead', endedAt: { $gte: since } })
      const known = options.alsoKnown
        ? await rows.find({ failures: { $gt: 0 } }, { projection: { _id: 1 } }).limit(1000).toArray()
        : []
      return [...new Set([...died as string[], ...known.map(({ _id }) => _id)])]
    },

    /** How many runs of a schedule died one after another, and of what the last (P). */
    async failuresOf ({ _id, failuresFrom }: ScheduleRow): Promise<number> {
      const [done] = await runs.find({ ...ofSchedule(_id), state: 'done' }, { projection: { endedAt: 1 } })
        .sort({ endedAt: -1 }).limit(1).toArray()
      const from = new Date(Math.max(failuresFrom.getTime(), done?.endedAt?.getTime() ?? 0))
      return await runs.countDocuments({ ...ofSchedule(_id), state: 'dead', endedAt: { $gt: from } }, { limit: 1000 })
    },

    async setFailures (id: string, failures: number): Promise<void> {
      await rows.updateOne({ _id: id }, { $set: { failures } }, { writeConcern: byDefault })
    }
  }
}
