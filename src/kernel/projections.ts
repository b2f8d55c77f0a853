import { defineSubscriber, type DomainEvent, type EventDefinition, type SubscriberDefinition } from './events.ts'

/** The state of a subject as its projection keeps it: a plain document. */
export type ProjectionState = Record<string, unknown>

export interface ProjectionDefinition<S extends ProjectionState = ProjectionState> {
  /** `<domain>.<plural>`: also its collection. */
  name: string
  /** Another version is built anew from the log, beside the one that is read. */
  version: number
  /** Versioned events; those of one subject make one row. */
  events: readonly EventDefinition[]
  /** Pure: the row after the event; null where the subject has none (any more). */
  apply (state: S | null, event: DomainEvent): S | null
}

/** A row per subject, folded from the log of events (`jobs.md` 4.9). Its events carry versions of their subject. */
export function defineProjection<S extends ProjectionState> (
  projection: ProjectionDefinition<S>
): ProjectionDefinition {
  return projection as unknown as ProjectionDefinition
}

const projectors = new WeakMap<ProjectionDefinition, readonly SubscriberDefinition[]>()

/** The subscribers that keep a projection up: one per event, declared together with it. */
export function projectorsOf (projection: ProjectionDefinition): readonly SubscriberDefinition[] {
  const known = projectors.get(projection)
  if (known !== undefined) return known
  const [domain = '', noun = ''] = projection.name.split('.')
  const made = projection.events.map((event) => defineSubscriber({
    name: `${domain}.project-${noun.replaceAll('_', '-')}-on-${event.name.replaceAll('.', '-')}`, event
  }))
  projectors.set(projection, made)
  return made
}
