import { useEffect } from 'preact/hooks'
import { Page } from '../frame/page.ts'
import { count, now } from '../format.ts'
import { html, type Node } from '../html.ts'
import { AsRequest } from '../parts/request.ts'
import { Empty, Loaded, Loading, Refused } from '../parts/state.ts'
import { Series } from '../parts/series.ts'
import { Table, type Column } from '../parts/table.ts'
import { Time } from '../parts/time.ts'
import { query, setQuery } from '../router.ts'
import { calmly } from '../stores/list.ts'
import { callOf, loadMetrics, metrics, metricsPath, series } from '../stores/metrics.ts'
import type { Metric } from '../stores/shapes.ts'
import { Alerts } from './analytics/alerts.ts'

const columns: ReadonlyArray<Column<Metric>> = [
  { key: 'name', head: 'Event', cell: ({ name }) => html`<code>${name}</code>` },
  { key: 'today', head: 'Today', isFigure: true, cell: ({ value }) => count(value) },
  { key: 'minute', head: 'This minute', isFigure: true, cell: (metric) => count(deltaNow(metric)) },
  { key: 'at', head: 'As of', isFigure: true, isExtra: true, cell: ({ at }) => html`<${Time} at=${at} />` }
]

/** What was told in a minute that has passed says nothing of this one. */
function deltaNow ({ at, delta }: Metric): number {
  return Math.floor(Date.parse(at) / 60_000) === Math.floor(now.value / 60_000) ? delta : 0
}

function eventOf (): string {
  const asked = query.value.get('event')
  if (asked !== null) return asked
  const names = metrics.items.value.map(({ name }) => name)
  return names.includes('social.post.discovered') ? 'social.post.discovered' : names[0] ?? 'social.post.discovered'
}

const reloads = new Map<string, () => void>()

function reloadOf (event: string): () => void {
  const known = reloads.get(event) ?? calmly(async () => { await series.get(event).load() }, 4000)
  reloads.set(event, known)
  return known
}

function Chart ({ event }: { event: string }): Node {
  const { points, problem, load } = series.get(event)
  const moved = metrics.items.value.find(({ name }) => name === event)?.at
  useEffect(() => series.open(event), [event])
  useEffect(() => { if (moved !== undefined) reloadOf(event)() }, [event, moved])
  if (problem.value !== undefined) return html`<${Refused} problem=${problem.value} retry=${load} />`
  if (points.value === undefined) return html`<${Loading} lines=${7} />`
  return html`<${Series} label="${event}, last 24 hours by quarter" unit="events" points=${points.value} />`
}

function Counts (): Node {
  const event = eventOf()
  const q = query.value.get('q')?.toLowerCase() ?? ''
  const choose = (name: string) => (): void => { setQuery({ event: name }) }
  return html`<section class="box" aria-labelledby="counts-title">
    <header><h2 id="counts-title">Counts</h2><span class="acts"><${AsRequest} call=${callOf(event)} /></span></header>
    <${Loaded} list=${metrics} retry=${loadMetrics} empty=${html`<${Empty} title="Nothing was counted yet"
      text="Every post that is found, changed or gone is counted here within seconds." />`}>
      ${() => html`<div class="box-body">
        <div class="chips" role="group"
          aria-label="Event of the chart">${metrics.items.value.map(({ name }) => html`<button key=${name} type="button"
          class="chip" aria-pressed=${name === event} onClick=${choose(name)}>${name}</button>`)}</div>
        <${Chart} key=${event} event=${event} /></div>
        <${Table} label="Counts of today" columns=${columns}
          rows=${metrics.items.value.filter(({ name }) => name.includes(q))}
          idOf=${({ name }: Metric) => name} />`}
    <//>
  </section>`
}

/** Counts as they grow, and the rules that watch them. */
export function Analytics (): Node {
  return html`<${Page} title="Analytics" acts=${html`<${AsRequest} call=${{ method: 'GET', path: metricsPath }} />`}>
    <div class="stack"><${Counts} /><${Alerts} /></div>
  <//>`
}
