import type { Static, TSchema } from 'typebox'
import {
  currentContext, uuidv7,
  type Clock, type DomainEvent, type EventBus, type EventDefinition, type Session, type Subject,
  type SubscriberDefinition
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
  async function emitMany<T extends TSchema> (
    session: Session, event: EventDefinition<T>, items: ReadonlyArray<{ data: Static<T>, subject: Subject }>,
    options: { workspaceId?: string } = {}
  ): Promise<string[]> {
    const emitted = items.map(({ data, subject }) => {
      checkPayload(event.name, event.data, data)
      const row = toRow(event, clock, { data, subject, workspaceId: workspaceOf(data, options.workspaceId) })
      const hearers = subscribersOf(event.name).filter(({ when }) => when === undefined || when(data as never))
      row.subscribers = hearers.map(({ name }) => name)
      return { row, hearers, shown: toEvent(row) }
    })
    const stale = await events.append(session, emitted.map(({ row }) => row))
    if (stale !== undefined) throw JobsError.stale_version({ event: event.name, subject: stale.subject })
    await runs.insert(session, emitted.flatMap(({ row, hearers, shown }) =>
      hearers.map((hearer) => runOf(hearer, shown, row))))
    for (const { shown } of emitted) onEmitted(shown)
    return emitted.map(({ row }) => row._id)
  }

  return {
    emitMany,

    async emit (session, event, data, subject, options) {
      const [id = ''] = await emitMany(session, event, [{ data, subject }], options)
      return id
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

/** A row of the log as its hearers see it. */
export function toEvent ({ _id, type, v, workspaceId, subject, data, at, cause, actor }: EventRow): DomainEvent {
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
    runAt: subscriber.together === undefined ? at : togetherAt(at, subscriber.together.forMs),
    createdAt: at,
    cause: { kind: 'event', id: event.id },
    ...(isOrdered ? { serial: subjectSerial(subscriber.name, event.subject), seq: seqOf(event.id, event.subject) } : {})
  })
}

/** The next full interval, the same for all events of this one: their runs become due at once. */
function togetherAt (at: Date, forMs: number): Date {
  return new Date((Math.floor(at.getTime() / forMs) + 1) * forMs)
}

function workspaceOf (data: unknown, asked: string | undefined): string {
  const inData = typeof data === 'object' && data !== null ? (data as { workspaceId?: unknown }).workspaceId : undefined
  return asked ?? (typeof inData === 'string' ? inData : currentContext()?.actor?.workspaceId ?? '')
}
