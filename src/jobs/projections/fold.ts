import type { DomainEvent, ProjectionDefinition, Session } from '../../kernel/index.ts'
import { toEvent } from '../event-log.ts'
import type { ProjectedRow, ProjectionRepository, VersionedEvent } from '../repository.ts'

type SubjectRef = Pick<DomainEvent, 'workspaceId' | 'subject'>

/** A subject has one row, whichever of its events made it. */
export function rowIdOf ({ workspaceId, subject }: SubjectRef): string {
  return `${workspaceId}/${subject.id}`
}

/** Whether the events go on from the version without a gap. */
function isNext (v: number, events: readonly VersionedEvent[]): boolean {
  return events.every(({ subject }, index) => subject.version === v + 1 + index)
}

/**
 * Brings the rows of some subjects to the newest version in the log, in the transaction of `session`. `hints` are
 * events at hand: where they go on from a row without a gap, the log is not asked.
 */
export async function catchUp (
  projections: ProjectionRepository, session: Session, projection: ProjectionDefinition, collection: string,
  subjects: readonly SubjectRef[], hints: readonly VersionedEvent[] = []
): Promise<void> {
  const bySubject = new Map(subjects.map((one) => [rowIdOf(one), one]))
  const rows = await projections.rows(session, collection, [...bySubject.keys()])
  const versionOf = (id: string): number => rows.get(id)?.v ?? 0
  const versioned = hints.filter(({ subject }) => typeof subject.version === 'number')
  const known = Map.groupBy(versioned.toSorted((a, b) => a.subject.version - b.subject.version), rowIdOf)
  for (const [id, events] of known) known.set(id, events.filter(({ subject }) => subject.version > versionOf(id)))
  const unsure = [...bySubject].filter(([id]) => {
    const events = known.get(id)
    return events === undefined || !isNext(versionOf(id), events)
  })
  const types = projection.events.map(({ name }) => name)
  const asked = await projections.since(session, types, unsure.map(([id, one]) => ({ ...one, v: versionOf(id) })))
  for (const [id] of unsure) known.delete(id)
  for (const [id, events] of Map.groupBy(asked, rowIdOf)) known.set(id, events)
  const folded = [...known].flatMap(([id, events]) => {
    const row = fold(projection, rows.get(id), events)
    return row === undefined ? [] : [row]
  })
  await projections.save(session, collection, folded)
}

function fold (
  projection: ProjectionDefinition, row: ProjectedRow | undefined, events: readonly VersionedEvent[]
): ProjectedRow | undefined {
  const last = events.at(-1)
  if (last === undefined) return undefined
  const state = events.reduce((before, event) => projection.apply(before, toEvent(event)), row?.state ?? null)
  return { _id: rowIdOf(last), workspaceId: last.workspaceId, v: last.subject.version, state }
}
