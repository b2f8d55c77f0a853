import type { Db } from 'mongodb'
import { lanes, type Lane, type Queue } from '../../kernel/index.ts'
import { everyLane, everyQueue, heldTarget } from '../indexes.ts'
import { expiryOf, type RunRow } from '../run.ts'
import type { Candidate } from './candidates.ts'
import { turnOf } from './claims.ts'
import type { WaitingSerial } from './mendings.ts'

const fast = { writeConcern: { w: 1 } } as const

/** What is not in Redis and not at work. */
const unstarted = ['blocked', 'pending'] as const

/** `priority`: of BullMQ, where it is not that of the lane. */
export interface Delivery { id: string, release: number, queue: Queue, lane: Lane, priority?: number }

export type RelayRepository = ReturnType<typeof createRelayRepository>

/**
 * What the relay reads and writes (P: of all workspaces, or of those in the slots); every write is a compare-and-set.
 */
export function createRelayRepository (db: Db, slots?: readonly number[]) {
  const rows = db.collection<RunRow>('jobs.runs')
  const mine = slots === undefined ? {} : { slot: { $in: [...slots] } }

  return {
    /** The next runs that become due after then, in order of time. */
    async upcoming (after: Date, limit: number): Promise<Array<{ queue: Queue, runAt: Date }>> {
      const projection = { queue: 1, runAt: 1 }
      return await rows.find({ state: 'pending', runAt: { $gt: after }, ...mine }, { projection })
        .sort({ runAt: 1 }).limit(limit).toArray()
    },

    /** Those of the serials that have a live run. */
    async liveSerials (serials: ReadonlyArray<{ workspaceId: string, serial: string }>): Promise<Set<string>> {
      if (serials.length === 0) return new Set()
      const found = await rows.find({
        isLive: true,
        workspaceId: { $in: [...new Set(serials.map((one) => one.workspaceId))] },
        serial: { $in: serials.map((one) => one.serial) }
      }, { projection: { workspaceId: 1, serial: 1 } }).toArray()
      return new Set(found.map((run) => `${run.workspaceId} ${run.serial}`))
    },

    /** The run of a serial whose turn it is. */
    async firstOfSerial (workspaceId: string, serial: string, now: Date): Promise<string | undefined> {
      const [first] = await rows.find(turnOf(workspaceId, serial, now), { projection: { _id: 1 } })
        .sort({ seq: 1 }).limit(1).toArray()
      return first?._id
    },

    async hold (ids: readonly string[], reason: string): Promise<void> {
      if (ids.length === 0) return
      await rows.updateMany(
        { _id: { $in: [...ids] }, state: 'pending', heldBy: { $in: [null, 'resource', 'rate', 'blackout'] } },
        { $set: { heldBy: reason } }, fast
      )
    },

    /** Lets go of the next run of a serial; its queue, if there was one. */
    async freeSerial (workspaceId: string, serial: string): Promise<Queue | undefined> {
      const freed = await rows.findOneAndUpdate(
        { state: 'pending', workspaceId, serial, heldBy: 'serial' }, { $set: { heldBy: null } },
        { sort: { seq: 1 }, projection: { queue: 1 }, ...fast })
      return freed?.queue
    },

    /**
     * Lets go of one run of a held target, to see whether it answers again; its id. Who tried the least goes: a try
     * that fails is an attempt, and a long outage must not cost one run all that it has.
     */
    async freeTarget (target: string): Promise<string | undefined> {
      const freed = await rows.findOneAndUpdate(
        { state: 'pending', heldBy: 'target', target }, { $set: { heldBy: null } },
        { sort: { attempt: 1, _id: 1 }, projection: { _id: 1 }, ...fast })
      return freed?._id
    },

    /** Lets go of the next run of those of the serials that nobody has any more: what a lost message leaves behind. */
    async freeStaleSerials (serials: readonly WaitingSerial[]): Promise<void> {
      for (const one of serials) {
        const isLive = await rows.findOne({ isLive: true, ...one }, { projection: { _id: 1 } }) !== null
        if (!isLive) await this.freeSerial(one.workspaceId, one.serial)
      }
    },

    /** Lets go of so many that are held for the reason, the longest due first. */
    async freeSome (queue: Queue, reason: string, most: number): Promise<number> {
      const found = await rows.find({ state: 'pending', queue, lane: { $in: [...lanes] }, heldBy: reason, ...mine }, {
        projection: { _id: 1 }
      }).sort({ runAt: 1 }).limit(most).toArray()
      if (found.length === 0) return 0
      const { modifiedCount } = await rows.updateMany(
        { _id: { $in: found.map(({ _id }) => _id) }, state: 'pending', heldBy: reason },
        { $set: { heldBy: null } }, fast)
      return modifiedCount
    },

    async release (reason: string, target?: string): Promise<number> {
      const { modifiedCount } = await rows.updateMany(
        { state: 'pending', ...everyLane, heldBy: reason, ...(target === undefined ? {} : { target }) },
        { $set: { heldBy: null } },
        fast)
      return modifiedCount
    },

    /** Lets go of runs that are held for other targets than these, on which nobody waits any more; how many. */
    async freeTargetsBut (known: readonly string[]): Promise<number> {
      const { modifiedCount } = await rows.updateMany(
        { state: 'pending', heldBy: 'target', target: { $nin: [...known] }, ...mine },
        { $set: { heldBy: null } }, { ...fast, hint: heldTarget })
      return modifiedCount
    },

    /** Shows on due runs of queues without a worker why they wait. */
    async holdQueues (queues: readonly Queue[], now: Date): Promise<void> {
      if (queues.length === 0) return
      await rows.updateMany(
        { state: 'pending', queue: { $in: [...queues] }, heldBy: null, runAt: { $lte: now } },
        { $set: { heldBy: 'no_worker' } }, fast)
    },

    async expire (ids: readonly string[], now: Date): Promise<void> {
      if (ids.length === 0) return
      await rows.updateMany({ _id: { $in: [...ids] }, state: 'pending' }, { $set: expired(now) })
    },

    /** Ends so many that wait, for whatever, although their deadline is over; the ids of those that it found. */
    async expireLate (now: Date, limit: number): Promise<string[]> {
      const late = { state: { $in: [...unstarted] }, deadlineAt: { $lte: now }, ...mine }
      const found = await rows.find(late, { projection: { _id: 1 } }).limit(limit).toArray()
      const ids = found.map(({ _id }) => _id)
      if (ids.length > 0) await rows.updateMany({ ...late, _id: { $in: ids } }, { $set: expired(now) })
      return ids
    },

    /** Publishes runs of one release number that took the same; answers those that this pass really got. */
    async publish (
      runs: readonly Candidate[], pass: string, now: Date, taken: readonly string[] = []
    ): Promise<Delivery[]> {
      const [one] = runs
      if (one === undefined) return []
      const ids = runs.map((run) => run._id)
      const release = one.release + 1
      const toDelivery = (run: Candidate): Delivery => ({ id: run._id, release, queue: run.queue, lane: run.lane })
      let published = 0
      try {
        const { modifiedCount } = await rows.updateMany(
          // It may have been given a later time since it was looked at.
          { _id: { $in: ids }, state: 'pending', release: one.release, runAt: { $lte: now } },
          {
            $set: {
              state: 'published', isLive: true, release, publishedAt: now, pass, heldBy: null,
              ...(taken.length > 0 && { taken: [...taken] })
            }
          }, fast)
        published = modifiedCount
      } catch (error) {
        // Another keeper made a run of the same serial live meanwhile: what is ours is read back below.
        if ((error as { code?: number }).code !== 11000) throw error
      }
      if (published === ids.length) return runs.map(toDelivery)
      const mine = await rows.find({ _id: { $in: ids }, pass }, { projection: { _id: 1 } }).toArray()
      const got = new Set(mine.map((run) => run._id))
      return runs.filter((run) => got.has(run._id)).map(toDelivery)
    },

    /** Published runs since then, or until then: what may have no delivery in Redis. */
    async published (range: { since?: Date, until?: Date }, limit = 5000): Promise<Delivery[]> {
      const publishedAt = { ...(range.since && { $gte: range.since }), ...(range.until && { $lte: range.until }) }
      const found = await rows.find(
        { isLive: true, ...everyQueue, ...mine, state: 'published', publishedAt },
        { projection: { release: 1, queue: 1, lane: 1 } }
      ).limit(limit).toArray()
      return found.map(({ _id, release, queue, lane }) => ({ id: _id, release, queue, lane }))
    },

    /** Takes back what was published before then and no worker took, though one is free; how many there were. */
    async takeBackWaiting (queue: Queue, until: Date): Promise<number> {
      const { modifiedCount } = await rows.updateMany(
        { isLive: true, queue, ...mine, state: 'published', publishedAt: { $lte: until } },
        { $set: { state: 'pending', isLive: false, heldBy: null } },
        fast)
      return modifiedCount
    },

    /** Takes published runs back to pending: all of them where Redis was emptied, else the named ones. */
    async takeBack (deliveries?: readonly Delivery[]): Promise<number> {
      const change = { $set: { state: 'pending' as const, isLive: false, heldBy: null } }
      if (deliveries === undefined) {
        const published = { isLive: true, ...everyQueue, ...mine, state: 'published' as const }
        return (await rows.updateMany(published, change, fast)).modifiedCount
      }
      let count = 0
      for (const { id, release } of deliveries) {
        count += (await rows.updateOne({ _id: id, release, state: 'published' }, change, fast)).modifiedCount
      }
      return count
    }
  }
}

function expired (now: Date) {
  return { state: 'expired' as const, isLive: false, heldBy: null, endedAt: now, ...expiryOf('expired', now.getTime()) }
}
