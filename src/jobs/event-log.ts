import {
  currentContext, uuidv7,
  type Clock, type DomainEvent, type EventBus, type EventDefinition, type Session, type SubscriberDefinition
} from '../kernel/index.ts'
import { JobsError } from './errors.ts'
import { dataHash, eventKey, seqOf, subjectSerial } from './keys.ts'
import { checkPayload } from './payload.ts'
import type { EventRepository, EventRow, RunRepository } from './repository.ts'
import type { RunRow } from './run.ts'
import { newRun } from './sender.ts'

export interface EventLogParts {
  events: EventRepository
  runs: RunRepository
  clock: Clock
  subscribersOf: (event: string) => readonly SubscriberDefinition[]
  /** Called in the transaction for each emitted event. */
  onEmitted: (event: DomainEvent) => void
}

/** Queue of all subscribers. */
export const subscriberQueue = 'fast'
const dayMs = 86_400_000

/** The event and one run per subscriber in the caller's transaction (`jobs.md` 4.9). */
export function createEventBus ({ events, runs, clock, subscribersOf, onEmitted }: EventLogParts): EventBus {
  return {
    async emit (session: Session, event, data, subject, options = {}) {
      checkPayload(event.name, event.data, data)
      const row = toRow(event, clock, { data, subject, workspaceId: workspaceOf(data, options.workspaceId) })
      const hearers = subscribersOf(event.name).filter(({ when }) => when === undefined || when(data as never))
      row.subscribers = hearers.map(({ name }) => name)
      const isFirst = await events.append(session, row)
      if (!isFirst) throw JobsError.stale_version({ event: event.name, subject })
      const shown = toEvent(row)
      await runs.insert(session, hearers.map((hearer) => runOf(hearer, shown, row)))
      onEmitted(shown)
      return row._id
    },

    async replay (query) {
      return (await events.ofSubject(query)).map(toEvent)
    }
  }
}

function toRow (
  { name, version, keepDays }: EventDefinition, clock: Clock, {
    data, subject, workspaceId
  }: Pick<EventRow, 'data' | 'subject' | 'workspaceId'>
): EventRow {
  const context = currentContext()
  return {
    _id: uuidv7(clock.ms()),
    workspaceId,
    type: name,
    v: version,
    subject,
    data,
    at: clock.now(),
    subscribers: [],
    ...(context?.cause === undefined ? {} : { cause: context.cause }),
    ...(context?.actor === undefined ? {} : { actor: context.actor }),
    ...(context?.trace === undefined ? {} : { trace: context.trace }),
    ...(keepDays === 'forever' ? {} : { expireAt: new Date(clock.ms() + keepDays * dayMs) })
  }
}

function toEvent ({ _id, type, v, workspaceId, subject, data, at, cause, actor }: EventRow): DomainEvent {
  return {
    id: _id, type, v, workspaceId, subject, data, at: at.toISOString(),
    cause: cause ?? null, actor: actor ?? null, isReplay: false
  }
}

function runOf (subscriber: SubscriberDefinition, event: DomainEvent, { at }: EventRow): RunRow {
  const isOrdered = subscriber.order === 'subject'
  return newRun({
    _id: uuidv7(at.getTime()),
    workspaceId: event.workspaceId,
    name: subscriber.name,
    v: event.v,
    data: event,
    dataHash: dataHash(event.id),
    key: eventKey(event.id, subscriber.name),
    queue: subscriberQueue,
    lane: subscriber.lane,
    cost: 1,
    runAt: at,
    createdAt: at,
    cause: { kind: 'event', id: event.id },
    ...(isOrdered ? { serial: subjectSerial(subscriber.name, event.subject), seq: seqOf(event.id, event.subject) } : {})
  })
}

function workspaceOf (data: unknown, asked: string | undefined): string {
  const inData = typeof data === 'object' && data !== null ? (data as { workspaceId?: unknown }).workspaceId : undefined
  return asked ?? (typeof inData === 'string' ? inData : currentContext()?.actor?.workspaceId ?? '')
}
