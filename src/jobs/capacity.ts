import { everything, type Blackout, type Clock, type Registry } from '../kernel/index.ts'
import { defaultBacklog } from './backlog.ts'
import type {
  BlackoutView, ResourceSettings, ResourceView, ShareSettings, ShareView
} from './capacity-schemas.ts'
import { JobsError } from './errors.ts'
import { present } from './present.ts'
import { isZone } from './recurrence/zones.ts'
import type { ResourceRepository, Share, ShareRepository } from './repository.ts'
import { resourceState, type ResourceRow, type ResourceState } from './resources.ts'

interface Collaborators {
  resources: ResourceRepository
  shares: ShareRepository
  declared: Registry['resources']
  clock: Clock
}

const mostHolders = 100

export type Capacity = ReturnType<typeof createCapacity>

/**
 * What operators give resources and workspaces; the relay goes by it from its next look on, half a second later. What
 * is set replaces what was set before: the last write wins.
 */
export function createCapacity ({ resources, shares, declared, clock }: Collaborators) {
  function view (name: string, row: ResourceRow | undefined): ResourceView {
    const nowMs = clock.ms()
    const state = resourceState(name, row, declared.get(name), { isTarget: true, nowMs })
    return { ...presentResource(state, row, nowMs), isDeclared: declared.has(name) }
  }

  async function resource (name: string): Promise<ResourceView> {
    const [row] = await resources.named([name])
    if (row === undefined && !declared.has(name) && name !== everything) throw JobsError.resource_not_found({ name })
    return view(name, row)
  }

  return {
    /** Throws `jobs.resource_not_found`. */
    resource,

    /** Declared ones and those that an operator or a run knows, in order of name, one more than `limit`. */
    async resources ({ after = '', limit }: { after?: string | undefined, limit: number }): Promise<ResourceView[]> {
      const page = await resources.page({ after, limit: limit + 1, now: clock.now() })
      const rows = new Map(page.map((row) => [row._id, row]))
      const named = [...declared.keys()].filter((name) => name > after)
      const names = [...new Set([...named, ...rows.keys()])].sort().slice(0, limit + 1)
      const missing = names.filter((name) => !rows.has(name))
      for (const row of await resources.named(missing)) rows.set(row._id, row)
      return names.map((name) => view(name, rows.get(name)))
    },

    /** Makes it where nobody knows it yet. Throws `jobs.schema_mismatch`, `jobs.zone_unknown`, with the field. */
    async setResource (name: string, settings: ResourceSettings): Promise<ResourceView> {
      const { capacity = null, ratePerS = null, blackouts } = settings
      if (name === everything && (capacity !== null || ratePerS !== null)) {
        throw refused(capacity === null ? '/ratePerS' : '/capacity', 'everything has blackouts only')
      }
      await resources.set(name, { capacity, ratePerS, blackouts: blackouts?.map(toBlackout) ?? null })
      return await resource(name)
    },

    async share (workspaceId: string): Promise<ShareView> {
      return presentShare(await shares.find(workspaceId) ?? { _id: workspaceId })
    },

    async setShare (workspaceId: string, settings: ShareSettings): Promise<ShareView> {
      const share = { _id: workspaceId, ...settings }
      await shares.set(share)
      return presentShare(share)
    }
  }
}

function presentResource (
  { name, capacity, ratePerS, blackouts, holders: all }: ResourceState, row: ResourceRow | undefined,
  nowMs: number
): Omit<ResourceView, 'isDeclared'> {
  const holders = all.filter(({ until }) => until.getTime() > nowMs)
  return {
    name,
    capacity: Number.isFinite(capacity) ? capacity : null,
    ratePerS: ratePerS ?? null,
    blackouts: blackouts.map(presentBlackout),
    settings: row === undefined ? {} : presentSettings(row),
    taken: holders.length,
    holders: holders.slice(0, mostHolders).map(({ runId }) => runId),
    holdUntil: row?.holdUntil !== undefined && row.holdUntil.getTime() > nowMs ? row.holdUntil.toISOString() : null
  }
}

function presentSettings ({ capacity, ratePerS, blackouts }: ResourceRow): ResourceSettings {
  return present({ capacity, ratePerS, blackouts: blackouts?.map(presentBlackout) })
}

function presentShare (
  { _id: workspaceId, weight = 1, maxLive, perMin, maxBacklog = defaultBacklog }: Share
): ShareView {
  return { workspaceId, weight, maxLive: maxLive ?? null, perMin: perMin ?? null, maxBacklog }
}

function presentBlackout (blackout: Blackout): BlackoutView {
  if ('from' in blackout) return { from: blackout.from.toISOString(), to: blackout.to.toISOString() }
  const { daily, days, zone } = blackout
  return { daily, zone, ...(days === undefined ? {} : { days: [...days] }) }
}

function toBlackout (blackout: BlackoutView, place: number): Blackout {
  const at = `/blackouts/${place}`
  if ('from' in blackout) {
    const [from, to] = [new Date(blackout.from), new Date(blackout.to)]
    if (!(from < to)) throw refused(`${at}/to`, 'it ends before it begins')
    return { from, to }
  }
  const { daily, days, zone } = blackout
  if (daily.from === daily.to) throw refused(`${at}/daily/to`, 'it ends when it begins')
  if (!isZone(zone)) throw JobsError.zone_unknown({ zone }, { errors: [problem(`${at}/zone`, 'is not known')] })
  return { daily, zone, ...(days === undefined ? {} : { days: days.toSorted() }) }
}

function refused (pointer: string, detail: string): Error {
  return JobsError.schema_mismatch({}, { detail: `${pointer}: ${detail}`, errors: [problem(pointer, detail)] })
}

function problem (pointer: string, detail: string) {
  return { in: 'body' as const, pointer, code: 'invalid', detail }
}
