import type { Db } from 'mongodb'
import { everyLane } from '../indexes.ts'
import type { Bucket } from '../fair.ts'
import { firstRank, mostOvertaken, type Holder, type ResourceRow } from '../resources.ts'
import type { RunRow } from '../run.ts'
import { shownOfCandidate, type Candidate } from './candidates.ts'

const fast = { writeConcern: { w: 1 } } as const
const contested = { $in: ['resource', 'rate', 'blackout'] }

export interface Taking { name: string, rev: number, holders: readonly Holder[], bucket: Bucket | undefined }

export type ResourceRepository = ReturnType<typeof createResourceRepository>

/** Capacity and who has it (P), and who of the slots waits for it; every taking is a compare-and-set on `rev`. */
export function createResourceRepository (db: Db, slots?: readonly number[]) {
  const rows = db.collection<ResourceRow>('jobs.resources')
  const runs = db.collection<RunRow>('jobs.runs')
  const mine = slots === undefined ? {} : { slot: { $in: [...slots] } }

  return {
    async all (): Promise<ResourceRow[]> {
      return await rows.find().toArray()
    },

    /** Those that are limited, taken or on hold, in order of name. */
    async page ({ after, limit, now }: { after: string, limit: number, now: Date }): Promise<ResourceRow[]> {
      const says = ['capacity', 'ratePerS', 'blackouts', 'holders.0'].map((field) => ({ [field]: { $exists: true } }))
      return await rows.find({ _id: { $gt: after }, $or: [...says, { holdUntil: { $gt: now } }] })
        .sort({ _id: 1 }).limit(limit).toArray()
    },

    async named (names: readonly string[]): Promise<ResourceRow[]> {
      return names.length === 0 ? [] : await rows.find({ _id: { $in: [...names] } }).toArray()
    },

    /** Sets what an operator wants of a resource; null takes it away again. */
    async set (
      name: string, wanted: { [K in 'capacity' | 'ratePerS' | 'blackouts']?: ResourceRow[K] | null }
    ): Promise<void> {
      const entries = Object.entries(wanted)
      const $set = Object.fromEntries(entries.filter(([, value]) => value !== null))
      const $unset = Object.fromEntries(
        entries.filter(([, value]) => value === null).map(([key]) => [key, '' as const]))
      await rows.updateOne({ _id: name }, {
        ...(Object.keys($set).length === 0 ? {} : { $set }),
        ...(Object.keys($unset).length === 0 ? {} : { $unset }),
        $inc: { rev: 1 }
      }, { upsert: true })
    },

    /** Adds holders, unless somebody changed the resource since it was read; whether it did. */
    async take ({ name, rev, holders, bucket }: Taking): Promise<boolean> {
      const tokens = bucket === undefined ? {} : { $set: { tokens: bucket.tokens, tokensAt: new Date(bucket.atMs) } }
      try {
        const { matchedCount, upsertedCount } = await rows.updateOne(
          // A document that nobody wrote yet has no revision.
          { _id: name, rev: rev === 0 ? { $exists: false } : rev },
          { $push: { holders: { $each: [...holders] } }, $inc: { rev: 1 }, ...tokens },
          { upsert: rev === 0, ...fast })
        return matchedCount + upsertedCount === 1
      } catch (error) {
        // Made by somebody else meanwhile.
        if ((error as { code?: number }).code === 11000) return false
        throw error
      }
    },

    /**
     * Gives places back that a run took for a release. The revision stays: what is about to be taken by what was free
     * before is free still, and a busy resource would refuse most takings otherwise.
     */
    async giveBack (names: readonly string[], { runId, release }: { runId: string, release: number }): Promise<void> {
      if (names.length === 0) return
      await rows.updateMany(
        { _id: { $in: [...names] }, holders: { $elemMatch: { runId, release } } },
        { $pull: { holders: { runId, release } } }, fast)
    },

    /** Lets those keep their places that are live for the release that took them; where others lost theirs. */
    async reconcile (now: Date, until: Date): Promise<string[]> {
      const freed: string[] = []
      for (const { _id, holders = [] } of await rows.find({ 'holders.0': { $exists: true } }).toArray()) {
        const live = await runs.find(
          { _id: { $in: holders.map(({ runId }) => runId) }, isLive: true }, { projection: { release: 1 } }).toArray()
        const releases = new Map(live.map((run) => [run._id, run.release]))
        const isLiving = ({ runId, release }: Holder): boolean => releases.get(runId) === release
        // What was taken a moment ago is published in the next one.
        const isFresh = ({ until: end }: Holder): boolean => end.getTime() - until.getTime() > -5000
        const gone = holders.filter((one) => !isLiving(one) && !(isFresh(one) && one.until > now))
        // In place and not the whole list as it was read: a busy resource changes all the time.
        const staying = { $filter: { input: '$holders', as: 'one', cond: { $not: isOneOf(gone) } } }
        const renewed = { $cond: [isOneOf(holders.filter(isLiving)), { $mergeObjects: ['$$one', { until }] }, '$$one'] }
        const $map = { input: staying, as: 'one', in: renewed }
        await rows.updateOne({ _id }, [{ $set: { holders: { $map } } }], fast)
        if (gone.length > 0) freed.push(_id)
      }
      return freed
    },

    /** Names that waiting runs are held for, with their queues. */
    async wanted (): Promise<Array<{ name: string, queues: string[] }>> {
      const found = await runs.aggregate<{ _id: string, queues: string[] }>([
        {
          $match: {
            state: 'pending', ...everyLane, heldBy: contested, ...mine
          }
        },
        { $limit: 10_000 },
        { $project: { queue: 1, names: { $setUnion: [{ $ifNull: ['$resources', []] }, ['$target']] } } },
        { $unwind: '$names' },
        { $match: { names: { $type: 'string' } } },
        { $group: { _id: '$names', queues: { $addToSet: '$queue' } } }
      ]).toArray()
      return found.map(({ _id: name, queues }) => ({ name, queues }))
    },

    /** Those who wait for the resource, in the order of the contest. */
    async contestants (name: string, limit: number): Promise<Candidate[]> {
      const found = await Promise.all([{ resources: name }, { target: name }].map(async (needs) =>
        await runs.find({ state: 'pending', ...needs, heldBy: contested, ...mine }, { projection: shownOfCandidate })
          .sort({ rank: 1, slotAt: 1, _id: 1 }).limit(limit).toArray()))
      return found.flat() as unknown as Candidate[]
    },

    async free (reason: string): Promise<void> {
      await runs.updateMany(
        { state: 'pending', ...everyLane, heldBy: reason },
        { $set: { heldBy: null } }, fast)
    },

    /** Whether a release is still at work or on its way. */
    async isLive (id: string, release: number): Promise<boolean> {
      return await runs.findOne({ _id: id, release, isLive: true }, { projection: { _id: 1 } }) !== null
    },

    /** Notes who lost a turn, and why each of them waits. */
    async lose (
      losers: ReadonlyArray<{ id: string, reason: string }>, overtaken: ReadonlySet<string>
    ): Promise<void> {
      const operations = [...Map.groupBy(losers, ({ id, reason }) => `${overtaken.has(id)} ${reason}`).values()]
        .flatMap((group) => {
          const [one] = group
          if (one === undefined) return []
          const update = overtaken.has(one.id)
            ? [{ $set: { heldBy: one.reason, overtaken: plusOne, rank: { $cond: [isEnough, firstRank, '$rank'] } } }]
            : { $set: { heldBy: one.reason } }
          const filter = { _id: { $in: group.map(({ id }) => id) }, state: 'pending' as const }
          return [{ updateMany: { filter, update } }]
        })
      if (operations.length > 0) await runs.bulkWrite(operations, { ordered: false, ...fast })
    }
  }
}

const plusOne = { $add: [{ $ifNull: ['$overtaken', 0] }, 1] }
const isEnough = { $gte: [plusOne, mostOvertaken] }

/** Whether a holder, `$$one`, has its place for a release that one of these has it for. */
function isOneOf (some: readonly Holder[]) {
  const pairs = some.map(({ runId, release }) => ({ runId, release }))
  return { $in: [{ runId: '$$one.runId', release: '$$one.release' }, { $literal: pairs }] }
}
