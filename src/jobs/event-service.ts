import {
  uuidv7, type Actor, type AddedRun, type Clock, type DomainEvent, type JobContext, type JobSender, type Registry,
  type SubscriberDefinition, type Tx
} from '../kernel/index.ts'
import { scopeOf } from './access.ts'
import { JobsError } from './errors.ts'
import { runOf, toEvent } from './event-log.ts'
import { replayEvents } from './jobs.ts'
import { presentEvent } from './present-letters.ts'
import { ensureBatch, paced, startReplay } from './replay.ts'
import type { BatchRepository, EventPages, EventRow, RunRepository } from './repository.ts'
import type { RunRow } from './run.ts'
import type { EventOut, EventQuery, EventReplay } from './schemas.ts'

interface Collaborators {
  events: EventPages
  runs: RunRepository
  batches: Pick<BatchRepository, 'insert' | 'ensure' | 'grow'>
  jobs: JobSender
  known: Pick<Registry, 'subscribers'>
  tx: Tx
  clock: Clock
  onAdded: (queue: string, workspaceId: string) => void
}

interface Asked {
  scope?: string[]
  type: string
  subject?: { type: string, id: string }
  from: string
  to: string
  subscriber: string
  ratePerS: number
}

export type EventService = ReturnType<typeof createEventService>

const perPage = 250

/** The log for operators, and hearing it once more (`jobs.md` 4.9). */
export function createEventService ({ events, runs, batches, jobs, known, tx, clock, onAdded }: Collaborators) {
  function hearerOf ({ subscriber, type }: Pick<EventReplay, 'subscriber' | 'type'>): SubscriberDefinition {
    const hearer = known.subscribers.get(subscriber)
    if (hearer === undefined || hearer.event.name !== type) {
      const detail = `must be a subscriber of ${type}`
      throw JobsError.schema_mismatch({ subscriber }, {
        detail: `${subscriber} ${detail}.`, errors: [{ in: 'body', pointer: '/subscriber', code: 'subscriber', detail }]
      })
    }
    if (hearer.replay === 'refuse') throw JobsError.replay_refused({ subscriber })
    return hearer
  }

  return {
    /** Newest first, one more than `limit`. */
    async list (
      actor: Actor, { workspaceId, subject, type, from, to, after, limit }:
      Omit<EventQuery, 'cursor' | 'limit'> & { after?: string, limit: number }
    ): Promise<EventOut[]> {
      const filter = { type, subject: subjectOf(subject), from, to }
      const page = { limit, ...(after === undefined ? {} : { after }) }
      return (await events.list(scopeOf(actor, workspaceId), filter, page)).map(presentEvent)
    },

    /** How many a subscriber would hear again, or the run that lets it. Throws `replay_refused`, `schema_mismatch`. */
    async replay (actor: Actor, body: EventReplay): Promise<{ matched: number } | AddedRun> {
      const { type, from, subscriber, dryRun = false, ratePerS = 10, workspaceId } = body
      hearerOf(body)
      const scope = scopeOf(actor, workspaceId)
      const subject = subjectOf(body.subject)
      // What is emitted from now on is heard anyway.
      const to = body.to ?? clock.now().toISOString()
      if (dryRun) return { matched: await events.count(scope, { type, subject, from, to }) }
      const data: Asked = {
        type, from, to, subscriber, ratePerS, ...(scope === undefined ? {} : { scope: [...scope] }),
        ...(subject === undefined ? {} : { subject })
      }
      return await tx(async (session) =>
        await startReplay({ session, jobs, batches, clock }, replayEvents, data, actor.workspaceId))
    },

    /**
     * The run of `jobs.replay-events`, until somebody ends its batch; keys make a page that is read again after a crash
     * harmless.
     */
    async carry (ctx: JobContext): Promise<{ events: number }> {
      const asked = ctx.run.data as Asked
      const hearer = hearerOf(asked)
      await ensureBatch({ batches, clock }, ctx.run)
      const total = await ctx.step('count', async () => await events.count(asked.scope, asked))
      const startMs = await ctx.step('start', async () => clock.ms())
      const at = paced({ startMs, nowMs: clock.ms(), done: ctx.run.progress?.done ?? 0, ratePerS: asked.ratePerS })
      let done = 0
      let isWanted = true
      for (let after = ''; ;) {
        const page = await events.page(asked.scope, asked, after, perPage)
        if (page.length === 0) return { events: done }
        const wanted = page.filter(({ data }) => hearer.when === undefined || hearer.when(data as never))
        const fresh = wanted.map((row, index) => replayed(hearer, row, ctx.run.id, at(done + index)))
        const from = done
        done += page.length
        after = page.at(-1)?._id ?? ''
        await ctx.checkpoint(async (session) => {
          isWanted = await batches.grow(session, ctx.run.id)
          if (!isWanted) return
          for (const [workspaceId, group] of Map.groupBy(fresh, (run) => run.workspaceId)) {
            await runs.addMany(session, group)
            onAdded(group[0]?.queue ?? '', workspaceId)
          }
        }, { done, total, unit: 'events' })
        if (!isWanted) return { events: from }
      }
    }
  }

  function replayed (hearer: SubscriberDefinition, row: EventRow, replay: string, runAt: Date): RunRow {
    const event: DomainEvent = { ...toEvent(row), isReplay: true }
    const now = clock.now()
    return {
      ...runOf(hearer, event, row), _id: uuidv7(now.getTime()), key: `rpl:${replay}:${row._id}`, lane: 'bulk', runAt,
      dueAt: runAt, createdAt: now, cause: { kind: 'run', id: replay }, batchId: replay, isReplay: true
    }
  }
}

function subjectOf (text: string | undefined): { type: string, id: string } | undefined {
  if (text === undefined) return undefined
  const at = text.indexOf(':')
  return { type: text.slice(0, at), id: text.slice(at + 1) }
}
