import { Compile } from 'typebox/compile'
import { uuidv7, type DomainEvent, type MappedEvent } from '../kernel/index.ts'
import { eventKey, msOfEventId, rollupKey, sourceKey, tiers, type Tier } from './keys.ts'
import { IncomingEventSchema, type IncomingEvent, type ItemCode } from './schemas.ts'

/** An event as it is kept. */
export interface KeptEvent {
  key: Buffer
  workspaceId: string
  name: string
  atMs: number
  actor?: string
  session?: string
  props: Record<string, string | number | boolean>
}

/** What a batch adds to one rollup row. */
export interface Part { key: Buffer, workspaceId: string, name: string, tier: Tier, bucketMs: number, count: number }

export type Judged = { event: KeptEvent, id: string | null } | { code: ItemCode, pointer: string, id: string | null }

const isIncoming = Compile(IncomingEventSchema)
const futureMs = 5 * 60_000
const retentionMs = 400 * 86_400_000

/** Judges one event of a call by itself: kept, or refused with the code and place. */
export function judge (workspaceId: string, input: unknown, nowMs: number): Judged {
  if (!isIncoming.Check(input)) return refusalOf(input)
  const { id = null } = input
  if (id === null && (input.sourceId === undefined || input.at === undefined)) {
    return { code: 'id_missing', pointer: '/id', id }
  }
  const atMs = id === null ? Date.parse(input.at ?? '') : msOfEventId(id)
  const code = timeProblem(atMs, input.at, nowMs)
  if (code !== undefined) return { code, pointer: '/at', id }
  return { event: kept(workspaceId, input, atMs), id }
}

function timeProblem (atMs: number, at: string | undefined, nowMs: number): ItemCode | undefined {
  if (at !== undefined && Date.parse(at) !== atMs) return 'at_mismatch'
  if (!(atMs <= nowMs + futureMs)) return 'in_future'
  return atMs < nowMs - retentionMs ? 'too_old' : undefined
}

function kept (workspaceId: string, input: IncomingEvent, atMs: number): KeptEvent {
  return {
    key: input.id === undefined
      ? sourceKey(workspaceId, input.sourceId ?? '', atMs)
      : eventKey(workspaceId, input.id),
    workspaceId,
    name: input.name,
    atMs,
    props: input.props ?? {},
    ...(input.actor === undefined ? {} : { actor: input.actor }),
    ...(input.session === undefined ? {} : { session: input.session })
  }
}

function refusalOf (input: unknown): Judged {
  const [first] = isIncoming.Errors(input)
  const pointer = first?.instancePath ?? ''
  if (pointer.startsWith('/id')) return { code: 'id_missing', pointer, id: null }
  const code = pointer.startsWith('/name') || pointer === '' ? 'name_invalid' : 'props_invalid'
  return { code, pointer, id: shownId(input) }
}

/** The id of a refused event, where it has one that can be shown again. */
function shownId (input: unknown): string | null {
  const { id } = (input ?? {}) as { id?: unknown }
  return typeof id === 'string' && /^[0-9a-f-]{36}$/.test(id) ? id : null
}

/** Analytics events of a domain event; item i is known by `<event id>:<i>`, so a repeat counts once. */
export function keepMapped (event: DomainEvent, mapped: readonly MappedEvent[]): KeptEvent[] {
  const atMs = Date.parse(event.at)
  const actor = event.actor?.userId
  return mapped.map(({ name, props }, index) => ({
    key: sourceKey(event.workspaceId, `${event.id}:${index}`, atMs),
    workspaceId: event.workspaceId,
    name,
    atMs,
    props,
    ...(actor === null || actor === undefined ? {} : { actor })
  }))
}

/** Each id once. */
export function withoutRepeats (events: readonly KeptEvent[]): KeptEvent[] {
  return [...new Map(events.map((event) => [event.key.toString('base64'), event])).values()]
}

/** What these events add to the rollups: one part per row. Pure. */
export function partsOf (events: readonly KeptEvent[]): Part[] {
  const parts = new Map<string, Part>()
  for (const { workspaceId, name, atMs } of events) {
    for (const tier of Object.keys(tiers) as Tier[]) {
      const bucketMs = Math.floor(atMs / tiers[tier].ms) * tiers[tier].ms
      const key = rollupKey(workspaceId, name, tier, bucketMs)
      const known = parts.get(key.toString('base64'))
      if (known === undefined) parts.set(key.toString('base64'), { key, workspaceId, name, tier, bucketMs, count: 1 })
      else known.count++
    }
  }
  return [...parts.values()]
}

/** Parts of many batches as one part per row. Pure. */
export function mergeParts (parts: readonly Part[]): Part[] {
  const merged = new Map<string, Part>()
  for (const part of parts) {
    const known = merged.get(part.key.toString('base64'))
    if (known === undefined) merged.set(part.key.toString('base64'), { ...part })
    else known.count += part.count
  }
  return [...merged.values()]
}

export function newBatchId (): string {
  return uuidv7()
}
