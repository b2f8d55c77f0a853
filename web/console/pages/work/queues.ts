import { useSignal } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import { Page } from '../../frame/page.ts'
import { count, plural, span } from '../../format.ts'
import { html, type Node } from '../../html.ts'
import { Button } from '../../parts/button.ts'
import { AsRequest } from '../../parts/request.ts'
import { Loaded } from '../../parts/state.ts'
import { Status } from '../../parts/status.ts'
import { Table, type Column } from '../../parts/table.ts'
import { Time } from '../../parts/time.ts'
import { toast } from '../../parts/toast.ts'
import { hrefOf } from '../../router.ts'
import { actOnQueue, openBoard, openQueues, queues, type QueueRow } from '../../stores/work.ts'
import { WorkNav } from './nav.ts'
import { AskReason } from './reason.ts'

const waitingOf = ({ waiting }: QueueRow): number => waiting.interactive + waiting.default + waiting.bulk

function flowOf (row: QueueRow): { tone: 'good' | 'warn' | 'bad' | 'muted', word: string } {
  const { isPaused, pausedWorkspaces, workers, oldestAgeMs } = row
  if (isPaused) return { tone: 'warn', word: 'paused' }
  if (workers === 0) return { tone: waitingOf(row) > 0 ? 'bad' : 'muted', word: 'no worker' }
  if (pausedWorkspaces.length > 0) return { tone: 'warn', word: `paused for ${pausedWorkspaces.length}` }
  if ((oldestAgeMs ?? 0) > 240_000) return { tone: 'warn', word: 'behind' }
  return row.live + waitingOf(row) > 0 ? { tone: 'good', word: 'at work' } : { tone: 'good', word: 'idle' }
}

function columnsOf (pause: (queue: string) => void): ReadonlyArray<Column<QueueRow>> {
  return [
    { key: 'queue', head: 'Queue', cell: ({ queue }) => html`<code>${queue}</code>` },
    {
      key: 'flow',
      head: 'State',
      cell: (row) => html`<${Status} ...${flowOf(row)} />${row.pause !== null && html`<div class="text small muted"
        title=${`by ${row.pause.by}`}>${row.pause.reason} · <${Time} at=${row.pause.at} /></div>`}`
    },
    { key: 'live', head: 'Live', isFigure: true, cell: ({ live }) => count(live) },
    {
      key: 'waiting',
      head: 'Waiting',
      isFigure: true,
      cell: (row) => html`<span title="interactive ${row.waiting.interactive}, default ${row.waiting.default}, bulk ${
        row.waiting.bulk}">${count(waitingOf(row))}</span>`
    },
    {
      key: 'oldest', head: 'Oldest', isFigure: true, isExtra: true,
      cell: ({ oldestAgeMs }) => oldestAgeMs === null ? '–' : span(oldestAgeMs)
    },
    {
      key: 'rate', head: 'Starts a minute', isFigure: true, isExtra: true,
      cell: ({ startsPerMin }) => count(startsPerMin)
    },
    {
      key: 'workers', head: 'Workers', isFigure: true, isExtra: true,
      cell: ({ workers, concurrency }) => `${plural(workers, 'process', 'processes')}, ${plural(concurrency, 'place')}`
    },
    {
      key: 'act',
      head: 'Act',
      isExtra: true,
      cell: ({ queue, isPaused }) => isPaused
        ? html`<${Button} act=${async () => { await resume(queue) }}>Resume<//>`
        : html`<${Button} act=${() => { pause(queue) }}>Pause<//>`
    }
  ]
}

async function resume (queue: string): Promise<void> {
  await actOnQueue(queue, 'resume')
  toast(`${queue} goes on.`)
}

/** How the queues stand, as they move. */
export function Queues (): Node {
  const pausing = useSignal<string | undefined>(undefined)
  useEffect(openQueues, [])
  const rows = queues.items.value
  const columns = columnsOf((queue) => { pausing.value = queue })
  const queue = pausing.value
  const live = rows.reduce((sum, row) => sum + row.live, 0)
  const waiting = rows.reduce((sum, row) => sum + waitingOf(row), 0)
  const sub = rows.length === 0 ? undefined : `${count(live)} live, ${count(waiting)} waiting.`
  return html`<${Page} title="Work" sub=${sub}
    acts=${html`<${AsRequest} call=${{ method: 'GET', path: queues.path }} />
      <${Button} act=${openBoard}>Board of BullMQ<//>`}>
    <${WorkNav} at="" />
    <${Loaded} list=${queues} retry=${queues.load} lines=${12}>
      ${() => html`<${Table} label="Queues" columns=${columns} rows=${rows} idOf=${(row: QueueRow) => row.queue}
        hrefOf=${(row: QueueRow) => hrefOf(`/work/runs?queue=${row.queue}`)} />`}
    <//>
    ${queue !== undefined && html`<${AskReason} title="Pause ${queue}" submit="Pause"
      text="Nothing of this queue starts until it is resumed; what is at work goes on to its end."
      close=${() => { pausing.value = undefined }}
      act=${async (reason: string) => { await actOnQueue(queue, 'pause', reason); toast(`${queue} is paused.`) }} />`}
  <//>`
}
