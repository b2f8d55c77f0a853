import {
  uuidv7, type Actor, type Clock, type DomainEvent, type Live, type MappedEvent, type Session, type Tx
} from '../kernel/index.ts'
import type { Position } from '../kernel/schemas.ts'
import type { AlertRepository } from './repository/alerts.ts'
import type { AnalyticsAccess } from './access.ts'
import { judge, keepMapped, withoutRepeats, type Judged, type KeptEvent } from './collector.ts'
import { AnalyticsError } from './errors.ts'
import type { createFold } from './fold.ts'
import { partitionOf } from './keys.ts'
import { toQuestion, type createQueries } from './query.ts'
import type { AnalyticsRepository } from './repository.ts'
import type { Alert, IngestResult, LiveMetric, NewAlert, Query, Table } from './schemas.ts'
import { AnalyticsLive } from './topics.ts'

interface Collaborators {
  analytics: AnalyticsRepository
  alerts: AlertRepository
  access: AnalyticsAccess
  queries: ReturnType<typeof createQueries>
  fold: ReturnType<typeof createFold>
  live: Live
  tx: Tx
  clock: Clock
  /** Called in the transaction that keeps something. */
  onKept: () => void
}

/** Told over the bus when something was kept: a fold has work. */
export const keptKind = 'analytics.kept'

const rulesPerWorkspace = 500

export type AnalyticsService = ReturnType<typeof createAnalyticsService>

export function createAnalyticsService (collaborators: Collaborators) {
  const { analytics, queries, fold, live, clock } = collaborators
  return {
    ...ingest(collaborators),
    ...rules(collaborators),

    async query (actor: Actor, query: Query): Promise<Table> {
      return await queries.ask(actor.workspaceId, query)
    },

    async names (actor: Actor) {
      const rows = await analytics.names(actor.workspaceId)
      return { data: rows.map(({ name, count, lastAt }) => ({ name, count, lastAt: lastAt.toISOString() })) }
    },

    /** Current values, with the position of `analytics.live` as it was before they were read. */
    async liveMetrics (actor: Actor): Promise<{ data: LiveMetric[], position: Position }> {
      const { workspaceId } = actor
      return await live.withPosition(AnalyticsLive, { workspaceId }, async () => {
        const names = await analytics.names(workspaceId)
        return { data: await Promise.all(names.map(async ({ name }) => await fold.current(workspaceId, name))) }
      })
    },

    access: collaborators.access,
    clock
  }
}

function ingest ({ analytics, tx, clock, onKept }: Collaborators) {
  async function keep (session: Session, workspaceId: string, events: readonly KeptEvent[]): Promise<KeptEvent[]> {
    onKept()
    return await analytics.keep(session, partitionOf(workspaceId), events, clock.now())
  }

  return {
    /** Keeps the good events of a call, each id once; bad ones are refused alone. Answers after the commit. */
    async record (
      actor: Actor, inputs: readonly unknown[], { isVerbose }: { isVerbose: boolean }
    ): Promise<IngestResult> {
      const { workspaceId } = actor
      const judged = inputs.map((input) => judge(workspaceId, input, clock.ms()))
      const good = withoutRepeats(judged.flatMap((one) => 'event' in one ? [one.event] : []))
      const fresh = good.length === 0
        ? []
        : await tx(async (session) => await keep(session, workspaceId, good))
      return toResult(judged, fresh, isVerbose)
    },

    /** Counts domain events of one workspace, each item once however often it is delivered; inside their commit. */
    async recordMapped (
      session: Session, events: ReadonlyArray<{ event: DomainEvent, mapped: readonly MappedEvent[] }>
    ): Promise<void> {
      const kept = withoutRepeats(events.flatMap(({ event, mapped }) => keepMapped(event, mapped)))
      const [first] = kept
      if (first !== undefined) await keep(session, first.workspaceId, kept)
    }
  }
}

function toResult (judged: readonly Judged[], fresh: readonly KeptEvent[], isVerbose: boolean): IngestResult {
  const left = new Set(fresh.map(({ key }) => key.toString('base64')))
  const results = judged.map((one, index) => {
    if ('code' in one) return { index, id: one.id, status: 'rejected' as const, code: one.code, pointer: one.pointer }
    const isFresh = left.delete(one.event.key.toString('base64'))
    return { index, id: one.id, status: isFresh ? 'accepted' as const : 'duplicate' as const }
  })
  const count = (status: string): number => results.filter((one) => one.status === status).length
  return {
    ack: 'durable',
    accepted: count('accepted'),
    duplicates: count('duplicate'),
    rejected: count('rejected'),
    results: isVerbose ? results : results.filter(({ status }) => status === 'rejected')
  }
}

function rules ({ alerts, access, tx, clock }: Collaborators) {
  return {
    /** Throws `rule_invalid`, `query_invalid`. */
    async addAlert (actor: Actor, input: NewAlert): Promise<Alert> {
      const { workspaceId, userId } = actor
      if (userId === null) throw AnalyticsError.rule_invalid({}, { detail: 'A rule belongs to a person.' })
      toQuestion(workspaceId, input.query, clock.ms())
      if (await alerts.count(workspaceId) >= rulesPerWorkspace) {
        throw AnalyticsError.rule_invalid({}, { detail: `A workspace has at most ${rulesPerWorkspace} rules.` })
      }
      const alert: Alert = {
        forMs: 0,
        everyMs: 60_000,
        lagMs: 2000,
        notify: { users: [] },
        ...input,
        id: uuidv7(),
        isEnabled: true,
        instance: null,
        createdAt: clock.now().toISOString()
      }
      await tx(async (session) => { await alerts.add(session, workspaceId, userId, alert) })
      return alert
    },

    async listAlerts (actor: Actor, page: { before: string | undefined, limit: number }): Promise<Alert[]> {
      return await alerts.page(actor.workspaceId, page)
    },

    /** Throws `alert_not_found`. */
    async removeAlert (actor: Actor, id: string): Promise<void> {
      await access.alert(actor, id)
      await tx(async (session) => { await alerts.remove(session, actor.workspaceId, id) })
    }
  }
}
