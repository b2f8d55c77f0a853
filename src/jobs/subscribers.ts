import { uuidv7, type Clock, type Log, type Registry, type SubscriberDefinition, type Tx } from '../kernel/index.ts'
import { runOf, toEvent } from './event-log.ts'
import { idFloor } from './keys.ts'
import type { EventPages, EventRow, RunRepository, SubscriberRepository, SubscriberRow } from './repository.ts'

interface Parts {
  subscribers: SubscriberRepository
  events: EventPages
  runs: RunRepository
  known: Pick<Registry, 'subscribers'>
  tx: Tx
  clock: Clock
  onAdded: (queue: string, workspaceId: string) => void
  log: Log
}

const lookBackMs = 15 * 60_000
/** A transaction that began before the last look may commit after it. */
const overlapMs = 60_000
/** Old processes that emit are gone so long after a deploy. */
const youngMs = 24 * 3_600_000
const perPage = 500

/**
 * Names of subscribers that the installation knows, and runs for events that a process of older code emitted without
 * them (`jobs.md` 4.9). Events from before a subscriber was there are not made up for: that is a replay.
 */
export function createSubscriberDuty (parts: Parts) {
  const { subscribers, events, runs, known, tx, clock, onAdded, log } = parts
  let lookedAtMs = 0

  async function mend (young: readonly SubscriberRow[]): Promise<number> {
    const byType = Map.groupBy(young, ({ event }) => event)
    const sinceMs = Math.min(...young.map(({ since }) => since.getTime()))
    const nowMs = clock.ms()
    let after = idFloor(Math.max(sinceMs, nowMs - lookBackMs, lookedAtMs - overlapMs))
    let count = 0
    const hearers = new Map([...byType].map(([type, rows]) => [type, rows.map(({ name }) => name)]))
    for (;;) {
      const page = await events.lacking(hearers, after, perPage)
      for (const row of page) count += await mendOne(row, byType.get(row.type) ?? [])
      if (page.length < perPage) break
      after = page.at(-1)?._id ?? after
    }
    lookedAtMs = nowMs
    return count
  }

  async function mendOne (row: EventRow, young: readonly SubscriberRow[]): Promise<number> {
    const missing = young
      .filter(({ name, since }) => row.at >= since && !row.subscribers.includes(name))
      .flatMap(({ name }) => known.subscribers.get(name) ?? [])
      .filter(({ when }) => when === undefined || when(row.data as never))
    for (const hearer of missing) await add(hearer, row)
    return missing.length
  }

  async function add (hearer: SubscriberDefinition, row: EventRow): Promise<void> {
    await tx(async (session) => {
      if (!await events.addHearer(session, row._id, hearer.name)) return
      // Its id is of now: a cancel that was before it does not mean it.
      const run = { ...runOf(hearer, toEvent(row), row), _id: uuidv7(clock.ms()) }
      await runs.add(session, run)
      onAdded(run.queue, run.workspaceId)
    })
  }

  return {
    /** Writes down the subscribers of this process, with the time from which on they hear. */
    async register (): Promise<void> {
      await subscribers.register([...known.subscribers.values()].map(({ name, event, order, replay }) =>
        ({ name, event: event.name, order, replay })))
    },

    /** Adds the missing runs of young subscribers; how many. Looks at everything again after a change of leader. */
    async mend (): Promise<number> {
      const young = (await subscribers.youngerThan(new Date(clock.ms() - youngMs)))
        .filter(({ name }) => known.subscribers.has(name))
      const count = young.length === 0 ? 0 : await mend(young)
      if (count > 0) log.info({ count }, 'events of older code reached new subscribers')
      return count
    },

    forget () { lookedAtMs = 0 }
  }
}

export type SubscriberDuty = ReturnType<typeof createSubscriberDuty>
