import { randomUUID } from 'node:crypto'
import type { FastifyInstance } from 'fastify'
import type {
  ClaimRepository, DedupeRepository, LeaseRepository, RelayRepository, StartOfRun
} from '../../src/jobs/index.ts'
import type { Clock, Log } from '../../src/kernel/index.ts'
import type { DeliveryPort } from './delivery.ts'
import type { WorkersView } from './workers-view.ts'

interface Parts {
  runs: RelayRepository
  claims: ClaimRepository
  dedupes: DedupeRepository
  leases: LeaseRepository
  delivery: DeliveryPort
  view: WorkersView
  clock: Clock
  redis: FastifyInstance['redis']
  epochKey: string
  /** How the epochs of this number of partitions begin: under another number deliveries are elsewhere. */
  epochTag: string
  lease: string
  killDead: () => Promise<string[]>
  removeWorker: (id: string) => Promise<void>
  onCrash: (start: StartOfRun) => void
  /** Runs ended since their time was over. */
  onEnded: (ids: readonly string[]) => void
  log: Log
}

const unlistedMs = 60_000
const together = 20
const expiredAtOnce = 1000
/** Pages of them in one turn: the relay waits meanwhile. */
const expiredPages = 5

/** What a keeper mends: lost deliveries, an emptied Redis, dead workers (`jobs.md` 4.2). */
export function createRecovery (parts: Parts) {
  const {
    runs, claims, dedupes, leases, delivery, view, clock, redis,
    epochKey, epochTag, lease, killDead, removeWorker, onCrash, onEnded, log
  } = parts

  let seen: { fence: number, epoch: string | undefined } | undefined

  /** Returns the runs of dead workers; their sessions end first, since an open transaction holds its documents. */
  async function returnRuns (workers: readonly string[]): Promise<number> {
    if (workers.length === 0) return 0
    return await crashAll(await claims.ofWorkers(workers))
  }

  async function crashAll (starts: readonly StartOfRun[]): Promise<number> {
    let count = 0
    for (let from = 0; from < starts.length; from += together) {
      const returned = await Promise.all(starts.slice(from, from + together).map(crash))
      count += returned.filter(Boolean).length
    }
    return count
  }

  async function crash (start: StartOfRun): Promise<boolean> {
    try {
      const isReturned = await claims.crash(start, clock.now())
      if (isReturned) onCrash(start)
      return isReturned
    } catch (err) {
      log.warn({ err, run: start.id }, 'the run of a dead worker is still locked')
      return false
    }
  }

  /** The epoch under which the runs were published; only the one that has this fence changes it. */
  async function epochUnder (fence: number): Promise<string | undefined> {
    if (seen?.fence !== fence) seen = { fence, epoch: await leases.epoch(lease) }
    return seen.epoch
  }

  return {
    /** Adds once more what was published lately: a leader may have died between MongoDB and Redis. */
    async addAgain (): Promise<void> {
      await delivery.add(await runs.published({ since: new Date(clock.ms() - 2 * unlistedMs) }))
    },

    /** Whether Redis is another one than it was: then no published run has a delivery. */
    async checkEpoch (fence: number): Promise<boolean> {
      const [known, there] = await Promise.all([epochUnder(fence), redis.get(epochKey)])
      const isTagged = there?.startsWith(epochTag) === true
      if (isTagged && there === known) return false
      const epoch = `${epochTag}${randomUUID()}`
      if (there !== null && !isTagged) await redis.set(epochKey, epoch)
      else await redis.set(epochKey, epoch, 'NX')
      // The runs first: who dies between the two leaves a Redis that is still seen as another one.
      const count = known === undefined ? 0 : await runs.takeBack()
      const next = await redis.get(epochKey) ?? epoch
      await leases.setEpoch(lease, fence, next)
      seen = { fence, epoch: next }
      if (known === undefined) return false
      log.warn({ count }, 'Redis was emptied, or is shared out anew: published runs are pending again')
      return true
    },

    /** Every second: workers of this host whose process is gone. */
    async returnGone (gone: readonly string[]): Promise<number> {
      const killed = await killDead()
      const count = await returnRuns([...new Set([...gone, ...killed.filter((id) => !view.isLiving(id))])])
      const rest = gone.length === 0 ? [] : await claims.ofWorkers(gone, 1)
      if (rest.length === 0) for (const id of gone) await removeWorker(id)
      return count
    },

    /** Runs whose worker was not seen for ten seconds and whose lock is gone. */
    async returnUnseen (holders: readonly string[]): Promise<number> {
      const unseen = holders.filter((worker) => !view.isLiving(worker))
      if (unseen.length === 0) return 0
      await killDead()
      const starts = await claims.ofWorkers(unseen)
      const locked = await Promise.all(starts.map(delivery.isLocked))
      return await crashAll(starts.filter((_, i) => locked[i] === false))
    },

    /** Runs whose deadline is over, whatever holds them: the relay sees only those that it chose. */
    async endLate (): Promise<void> {
      for (let page = 0; page < expiredPages; page++) {
        const late = await runs.expireLate(clock.now(), expiredAtOnce)
        onEnded(late)
        if (late.length < expiredAtOnce) return
      }
    },

    /** Throttle windows that are over. */
    async endWindows (): Promise<void> { await dedupes.endWindows(clock.now()) },

    /** Published longer than a minute without a delivery. */
    async returnLost (): Promise<number> {
      const old = await runs.published({ until: new Date(clock.ms() - unlistedMs) }, 500)
      return await runs.takeBack(await delivery.missing(old))
    }
  }
}

export type Recovery = ReturnType<typeof createRecovery>
