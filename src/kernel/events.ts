import type { Static, TSchema } from 'typebox'
import type { ActorRef } from './actor.ts'
import type { Cause } from './context.ts'
import type { Lane } from './jobs.ts'
import { refuseSecrets } from './schemas.ts'
import type { Session } from './tx.ts'

export interface EventDefinition<T extends TSchema = TSchema> {
  /** `<domain>.<noun>.<past>` */
  name: string
  version: number
  data: T
  /** How long the log keeps it, in days, or for ever. */
  keepDays: number | 'forever'
  /** Payloads of older versions, lifted one version at a time before a subscriber sees them. */
  upcast?: Record<number, (data: never) => unknown>
}

/** An event as data. Payloads are ids, versions, small facts; closed objects. */
export function defineEvent<T extends TSchema> (
  event: Pick<EventDefinition<T>, 'name' | 'data' | 'upcast'> & { version?: number, keepDays?: number | 'forever' }
): EventDefinition<T> {
  refuseSecrets(event.name, event.data)
  return { version: 1, keepDays: 90, ...event }
}

/** What the event is about; with a version it is compare-and-append, and two of one version collide. */
export interface Subject { type: string, id: string, version?: number }

/** A stored event as its subscribers see it. */
export interface DomainEvent<T = unknown> {
  id: string
  type: string
  v: number
  workspaceId: string
  subject: Subject
  data: T
  at: string
  cause: Cause | null
  actor: ActorRef | null
  isReplay: boolean
}

export interface SubscriberDefinition<T extends TSchema = TSchema> {
  /** `<domain>.<verb>-<noun>`: also the name of its runs. */
  name: string
  event: EventDefinition<T>
  /** `subject`: runs of one subject go strictly one after another, in the order of its events. */
  order: 'none' | 'subject'
  /** `interactive` for what people wait for, `bulk` for the book-keeping of many files. */
  lane: Lane
  replay: 'safe' | 'refuse'
  /** Runs wait so long for others and end together, at most so many in one transaction. */
  together?: { forMs: number, most: number }
  /** Pure; false means no run for this event. */
  when?: (data: Static<T>) => boolean
}

/** Somebody who hears an event: declared in every process, bound to a handler in `workers/`. */
export function defineSubscriber<T extends TSchema> (
  subscriber: {
    name: string
    event: EventDefinition<T>
    order?: 'none' | 'subject'
    lane?: Lane
    replay?: 'safe' | 'refuse'
    together?: { forMs: number, most: number }
    when?: (data: Static<T>) => boolean
  }
): SubscriberDefinition<T> {
  return { order: 'none', lane: 'default', replay: 'safe', ...subscriber }
}

export interface EventBus {
  /** Writes the event and one run per subscriber in the caller's transaction; answers the event's id. */
  emit<T extends TSchema> (
    session: Session, event: EventDefinition<T>, data: Static<T>, subject: Subject, options?: { workspaceId?: string }
  ): Promise<string>
  /** The same for many of one kind, in two round trips; answers their ids in order. */
  emitMany<T extends TSchema> (
    session: Session, event: EventDefinition<T>, items: ReadonlyArray<{ data: Static<T>, subject: Subject }>,
    options?: { workspaceId?: string }
  ): Promise<string[]>
  /** Events of one subject in ascending version, from `fromVersion` on; the default replay of durable topics. */
  replay (query: {
    workspaceId: string, type: string, subject: { type: string, id: string }, fromVersion: number, limit: number
  }): Promise<DomainEvent[]>
}
