import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ClaimRepository, Outcome, RunRow, StartKey } from '../../src/jobs/index.ts'
import type { Clock, Log, Tx } from '../../src/kernel/index.ts'
import { createBatcher } from './batcher.ts'

const most = 400
/** Where fewer are on their way, the next one need not wait for them. */
const few = 16
/** Outcomes that nobody waits for go to the store so long apart, if there are few of them. */
const apartMs = 20
const outcomeTries = 12

interface Parts {
  claims: ClaimRepository
  tx: Tx
  worker: string
  clock: Clock
  /** Whether the worker app of this id is still at work. */
  isLiving: (worker: string) => Promise<boolean>
  onSuperseded: (count: number) => void
  log: Log
}

interface Wanted { id: string, release: number }

/** Claims and outcomes of one worker, grouped by equal content (`jobs.md` 4.3). */
export function createStarts ({ claims, tx, worker, clock, isLiving, onSuperseded, log }: Parts) {
  const claimOne = createBatcher<Wanted, RunRow | undefined>({ most, few }, async (wanted) => {
    const got = new Map<string, RunRow>()
    const groups = Map.groupBy(wanted, ({ release }) => release)
    await Promise.all([...groups].map(async ([release, group]) => {
      for (
        const run of await claimGroup([...new Set(group.map(({ id }) => id))], release)
      ) got.set(`${run._id} ${release}`, run)
    }))
    return wanted.map(({ id, release }) => {
      const name = `${id} ${release}`
      const run = got.get(name)
      // Two deliveries of one release in a batch: one of them gets the run.
      got.delete(name)
      return run
    })
  })

  const gathered = { most, few, apartMs }
  const endOne = createBatcher<{ key: StartKey, outcome: Outcome }, undefined>(gathered, async (outcomes) => {
    const missed = await insist(async () => await claims.end(outcomes, clock.now()))
    const superseded = missed === 0 ? 0 : missed - await endNeeded(outcomes)
    if (superseded > 0) onSuperseded(superseded)
    return outcomes.map(() => undefined)
  })

  /** Ends those that others wait for, in a transaction that tells them; how many there were. */
  async function endNeeded (outcomes: ReadonlyArray<{ key: StartKey, outcome: Outcome }>): Promise<number> {
    const needed = await insist(async () => await claims.needed(outcomes.map(({ key }) => key)))
    if (needed.length === 0) return 0
    const those = outcomes.filter(({ key }) => needed.includes(key))
    return await insist(async () => await tx(async (session) =>
      await claims.endNeeded(session, those, clock.now())))
  }

  async function claimGroup (ids: readonly string[], release: number): Promise<RunRow[]> {
    const claim = randomUUID()
    try {
      return await claims.claim(ids, release, { claim, worker, now: clock.now() })
    } catch (err) {
      log.warn({ err }, 'the outcome of a claim is unknown and read back')
      return await insist(async () => await claims.byClaim(ids, claim))
    }
  }

  /** A redelivery: its lock lapsed. Taken from a holder that is gone, never from one that is only slow. */
  async function takeOver (id: string, release: number): Promise<RunRow | undefined> {
    const holder = await claims.holderOf(id, release)
    if (holder === undefined || (holder.worker !== null && await isLiving(holder.worker))) return undefined
    const [run] = await claims.takeOver(id, holder.fence, { claim: randomUUID(), worker, now: clock.now() })
    return run
  }

  async function insist<T> (write: () => Promise<T>): Promise<T> {
    for (let tries = 1; ; tries++) {
      try {
        return await write()
      } catch (err) {
        if (tries >= outcomeTries) throw err
        log.warn({ err, tries }, 'the store did not take what became of a run')
        await sleep(Math.min(5000, 100 * 2 ** tries))
      }
    }
  }

  return {
    /** The run of a delivery, if this start is the one that has it. */
    async claim (id: string, release: number, isRedelivered: boolean): Promise<RunRow | undefined> {
      const run = await claimOne({ id, release })
      return run ?? (isRedelivered ? await takeOver(id, release) : undefined)
    },
    /** The next run of the serial of a run that ended here, started in place. */
    async next ({ workspaceId, serial, queue }: RunRow, may: (run: RunRow) => boolean): Promise<RunRow | undefined> {
      if (serial === undefined) return undefined
      try {
        return await claims.claimNext(
          { workspaceId, serial, queue }, { claim: randomUUID(), worker, now: clock.now() }, may)
      } catch (err) {
        // What it took in a lost answer is given back with the other strangers.
        log.warn({ err }, 'the next run of a serial was not started in place')
        return undefined
      }
    },
    /** Writes an outcome; `isPatient`: nothing follows from it that should come at once. */
    async end (key: StartKey, outcome: Outcome, isPatient = false): Promise<void> {
      await endOne({ key, outcome }, isPatient)
    },
    insist
  }
}

export type Starts = ReturnType<typeof createStarts>
