import { useEffect } from 'preact/hooks'
import { Page } from '../../frame/page.ts'
import { now } from '../../format.ts'
import { html, type Node } from '../../html.ts'
import { Button } from '../../parts/button.ts'
import { Field } from '../../parts/form.ts'
import { AsRequest } from '../../parts/request.ts'
import { Empty, Loaded } from '../../parts/state.ts'
import { Status } from '../../parts/status.ts'
import { Table, type Column } from '../../parts/table.ts'
import { Time } from '../../parts/time.ts'
import { hrefOf, query, setQuery } from '../../router.ts'
import { queues, runs, type RunRow } from '../../stores/work.ts'
import { WorkNav } from './nav.ts'
import { stateOf, waitingFor } from './words.ts'

const states = ['pending', 'published', 'running', 'done', 'dead', 'cancelled', 'expired', 'blocked', 'skipped']

const columns: ReadonlyArray<Column<RunRow>> = [
  { key: 'name', head: 'Job', cell: ({ name }) => html`<code>${name}</code>` },
  { key: 'state', head: 'State', cell: (run) => html`<${Status} ...${stateOf(run)} />` },
  {
    key: 'why',
    head: 'Why',
    isExtra: true,
    cell: (run) => html`<span class="text small muted">${
      run.error === undefined ? waitingFor(run, now.peek()) ?? '' : `${run.error.code}: ${run.error.message}`}</span>`
  },
  { key: 'queue', head: 'Queue', isExtra: true, cell: ({ queue, lane }) => `${queue} · ${lane}` },
  { key: 'starts', head: 'Starts', isFigure: true, isExtra: true, cell: ({ starts }) => starts },
  { key: 'created', head: 'Made', isFigure: true, cell: ({ createdAt }) => html`<${Time} at=${createdAt} />` }
]

function pathOf (): string {
  const asked = new URLSearchParams()
  for (const name of ['state', 'queue', 'name', 'causeId', 'batchId']) {
    const value = query.value.get(name)
    if (value !== null && value !== '') asked.set(name, value)
  }
  return `/v1/jobs/runs${asked.size === 0 ? '' : `?${asked.toString()}`}`
}

function Filters (): Node {
  const pick = (name: string) => (event: Event): void => {
    setQuery({ [name]: (event.currentTarget as HTMLSelectElement).value })
  }
  const choice = (name: string, label: string, values: readonly string[]): Node => html`<${Field} name=${name}
    label=${label} onChange=${pick(name)}><option value="">all</option>${values.map((value) => html`<option key=${value}
    value=${value} selected=${query.value.get(name) === value}>${value}</option>`)}<//>`
  return html`<div class="row filters" role="search" aria-label="Filters">
    ${choice('state', 'State', states)}
    ${choice('queue', 'Queue', queues.items.value.map(({ queue }) => queue))}
    <${Field} name="name" label="Job" value=${query.value.get('name') ?? ''} onChange=${pick('name')}
      placeholder="social.sync-account" />
  </div>`
}

/** Runs, newest first, by what they are. */
export function Runs (): Node {
  const path = pathOf()
  const list = runs.get(path)
  useEffect(() => runs.open(path), [path])
  useEffect(() => { if (queues.status.peek() !== 'ready') void queues.load() }, [])
  return html`<${Page} title="Work" acts=${html`<${AsRequest} call=${{
 method: 'GET', path: `${path}${
      path.includes('?') ? '&' : '?'}limit=50`
}} /><${Button} icon="sync" act=${async () => { await list.load() }}>Read
      again<//>`}>
    <${WorkNav} at="runs" />
    <${Filters} />
    <${Loaded} list=${list} retry=${list.load} empty=${html`<${Empty} title="No run fits"
      text="Runs that are done stay for a week, cancelled ones for a month." />`}>
      ${() => html`<${Table} label="Runs" columns=${columns} rows=${list.items.value} idOf=${({ id }: RunRow) => id}
        hrefOf=${({ id }: RunRow) => hrefOf(`/work/runs/${id}`)}
        more=${list.hasMore.value ? list.more : undefined} />`}
    <//>
  <//>`
}
