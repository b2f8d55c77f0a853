import { signal } from '@preact/signals'
import { get, send, type Call } from '../api.ts'
import { follow, type Pub } from '../live.ts'
import type { Points } from '../parts/series.ts'
import { problemOf, type Problem } from '../problem.ts'
import type { Position, Status } from './list.ts'
import { createShelf, gather } from './shared.ts'
import type { Metric } from './shapes.ts'

export const metricsPath = '/v1/analytics/live'

/** Counts of the running day, by event. */
export const metrics = {
  items: signal<Metric[]>([]),
  status: signal<Status>('idle'),
  problem: signal<Problem | undefined>(undefined)
}

function put (fresh: Iterable<Metric>): void {
  const byName = new Map(metrics.items.peek().map((metric) => [metric.name, metric]))
  for (const metric of fresh) byName.set(metric.name, metric)
  metrics.items.value = [...byName.values()].sort((a, b) => a.name < b.name ? -1 : 1)
}

const apply = gather<Metric>((values) => { put(values.values()) })

export async function loadMetrics (): Promise<{ data: Metric[], position: Position } | undefined> {
  if (metrics.status.peek() !== 'ready') metrics.status.value = 'loading'
  try {
    const answer = await get<{ data: Metric[], position: Position }>(metricsPath)
    put(answer.data)
    metrics.problem.value = undefined
    metrics.status.value = 'ready'
    return answer
  } catch (error) {
    metrics.problem.value = problemOf(error)
    metrics.status.value = 'refused'
    return undefined
  }
}

export function openMetrics (workspaceId: string): () => void {
  return follow(`analytics.live:${workspaceId}`, {
    getState: loadMetrics,
    onPub ({ key, d }: Pub) {
      if (key !== undefined && d['value'] !== undefined) apply(key, { ...d, name: key } as unknown as Metric)
    }
  })
}

export function metricOf (name: string): Metric | undefined {
  const metric = metrics.items.value.find((one) => one.name === name)
  // A value of yesterday says nothing about today.
  return metric === undefined || metric.at.slice(0, 10) !== new Date().toISOString().slice(0, 10) ? undefined : metric
}

export function callOf (event: string): Call {
  return {
    method: 'POST',
    path: '/v1/analytics/queries',
    body: { event, range: { last: '24h' }, grain: 'quarter', fill: 'zero' }
  }
}

const stepS = 900

/** Counts of the last 24 hours in quarters of an hour, by event. */
export const series = createShelf((event) => {
  const store = {
    points: signal<Points | undefined>(undefined), problem: signal<Problem | undefined>(undefined), load
  }
  async function load (): Promise<void> {
    try {
      const { rows } = await send<{ rows: Array<[string, number]> }>(callOf(event))
      store.points.value = toPoints(rows, Date.now())
      store.problem.value = undefined
    } catch (error) {
      store.problem.value = problemOf(error)
    }
  }
  return { store, open: () => { void load(); return () => {} } }
})

/** Rows as points of one window, with a zero where nothing was counted. */
export function toPoints (rows: ReadonlyArray<readonly [string, number]>, nowMs: number): Points {
  const counts = new Map(rows.map(([at, value]) => [Math.floor(Date.parse(at) / 1000), value]))
  const end = Math.floor(nowMs / 1000 / stepS) * stepS
  const at = Array.from({ length: 97 }, (_, index) => end - (96 - index) * stepS)
  return { at, values: at.map((second) => counts.get(second) ?? 0) }
}
