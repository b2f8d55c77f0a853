import { useEffect } from 'preact/hooks'
import { Page } from '../../frame/page.ts'
import { span } from '../../format.ts'
import { html, type Node } from '../../html.ts'
import { Button } from '../../parts/button.ts'
import { Panel } from '../../parts/panel.ts'
import { AsRequest } from '../../parts/request.ts'
import { Empty, Loaded, Loading, Refused } from '../../parts/state.ts'
import { Status } from '../../parts/status.ts'
import { Table, type Column } from '../../parts/table.ts'
import { Time } from '../../parts/time.ts'
import { toast } from '../../parts/toast.ts'
import { hrefOf, query, setQuery } from '../../router.ts'
import {
  actOnSchedule, schedule, schedules, slots, type ComingSlot, type PastSlot, type Schedule
} from '../../stores/work.ts'
import { WorkNav } from './nav.ts'
import { reasonsOf, ruleOf, scheduleState, toneOf } from './words.ts'

const columns: ReadonlyArray<Column<Schedule>> = [
  { key: 'name', head: 'Schedule', cell: ({ name }) => html`<code>${name}</code>` },
  { key: 'state', head: 'State', cell: (schedule) => html`<${Status} ...${scheduleState(schedule)} />` },
  { key: 'rule', head: 'Rule', isExtra: true, cell: (schedule) => html`<code class="text">${ruleOf(schedule)}</code>` },
  {
    key: 'last', head: 'Last slot', isFigure: true, isExtra: true, cell: ({ lastSlotAt }) => html`<${Time}
      at=${lastSlotAt} />`
  },
  { key: 'next', head: 'Next slot', isFigure: true, cell: ({ nextSlotAt }) => html`<${Time} at=${nextSlotAt} />` }
]

/** To the second where it has any: a slot that a person made, or one of an interval. */
const wallTime = (wall: string): Node => html`<span class="figures one-line">${
  wall.replace('T', ' ').replace(/\.\d+$/, '').replace(/:00$/, '')}</span>`

/** Below its verdict: the panel has no room for it beside. */
const said = (reasons: readonly string[]): Node => reasons.length === 0
  ? html``
  : html`<p class="small muted">${reasonsOf(reasons)}</p>`

const dstWords = { gap: 'moved past the gap of the clock', fold: 'first pass of a repeated hour' }

const comingColumns: ReadonlyArray<Column<ComingSlot>> = [
  {
    key: 'wall', head: 'Wall time',
    cell: ({ wall, slotAt }) => html`${wallTime(wall)}<p class="small muted"><${Time} at=${slotAt} /></p>`
  },
  {
    key: 'verdict', head: 'Verdict, and why',
    cell: ({ verdict, reasons, dst }) => html`<${Status} tone=${toneOf(verdict)} word=${verdict} />${
      said([...reasons, ...dst === null ? [] : [dstWords[dst]]])}`
  }
]

const pastColumns: ReadonlyArray<Column<PastSlot>> = [
  {
    key: 'wall', head: 'Wall time',
    cell: ({ wall, lateMs }) => html`${wallTime(wall)}<p class="small muted figures">${
      lateMs < 1000 ? `${lateMs} ms` : span(lateMs)} late</p>`
  },
  {
    key: 'outcome', head: 'Outcome',
    cell: ({ outcome, reasons }) => html`<${Status} tone=${toneOf(outcome)} word=${outcome} />${said(reasons)}`
  },
  {
    key: 'run', head: 'Run',
    cell: ({ runId, runState }) => runId === null
      ? '–'
      : html`<a href=${hrefOf(`/work/runs/${runId}`)}>${runState ?? 'run'}</a>`
  }
]

function Acts ({ schedule: { id, name, isEnabled } }: { schedule: Schedule }): Node {
  const act = (verb: 'trigger' | 'pause' | 'resume', word: string) => async (): Promise<void> => {
    await actOnSchedule(id, verb)
    toast(`${name} ${word}.`)
  }
  return html`<div class="form-end">
    <${AsRequest} call=${{ method: 'GET', path: `/v1/jobs/schedules/${id}/explain?count=10` }} />
    ${isEnabled
      ? html`<${Button} act=${act('pause', 'is paused')}>Pause<//>`
      : html`<${Button} act=${act('resume', 'goes on')}>Resume<//>`}
    <${Button} kind="primary" act=${act('trigger', 'has one slot now')}>Run now<//></div>`
}

const close = (): void => { setQuery({ schedule: undefined }) }

function Detail ({ row }: { row: Schedule }): Node {
  const { id, job, overlap, misfire, failures } = row
  const { coming, past } = slots.get(id)
  useEffect(() => slots.open(id), [id])
  const show = <T>({ value, problem, load }: typeof coming, table: (value: T) => Node): Node => {
    if (value.value !== undefined) return table(value.value as T)
    if (problem.value === undefined) return html`<${Loading} lines=${4} />`
    return html`<${Refused} problem=${problem.value} retry=${load} />`
  }
  return html`<${Panel} title=${row.name} close=${close}>
    <${Status} ...${scheduleState(row)} />
    <dl class="facts">
      <dt>Job</dt><dd><a href=${hrefOf(`/work/runs?name=${job}`)}>${job}</a></dd>
      <dt>Rule</dt><dd><code>${ruleOf(row)}</code></dd>
      <dt>While one is at work</dt><dd>${overlap}</dd>
      <dt>Missed slots</dt><dd>${misfire}</dd>
      <dt>Failures in a row</dt><dd>${failures}</dd>
    </dl>
    <h3>The next slots</h3>
    ${show<{ slots: ComingSlot[] }>(coming, (value) => html`<${Table} label="Next slots" columns=${comingColumns}
      rows=${value.slots} idOf=${({ slotAt }: ComingSlot) => slotAt} />`)}
    <h3>Past slots</h3>
    ${show<{ data: PastSlot[] }>(past as never, (value) => value.data.length === 0
      ? html`<p class="muted small">None yet.</p>`
      : html`<${Table} label="Past slots" columns=${pastColumns} rows=${value.data}
        idOf=${({ slotAt, by }: PastSlot) => `${slotAt} ${by}`} />`)}
    <${Acts} schedule=${row} />
  <//>`
}

function Opened ({ id }: { id: string }): Node {
  const { value, problem, load } = schedule.get(id)
  useEffect(() => schedule.open(id), [id])
  const row = value.value ?? schedules.items.value.find((one) => one.id === id)
  if (row !== undefined) return html`<${Detail} row=${row} />`
  return html`<${Panel} title="Schedule" close=${close}>${problem.value === undefined
    ? html`<${Loading} lines=${4} />`
    : html`<${Refused} problem=${problem.value} retry=${load} />`}<//>`
}

/** What happens by itself, when next, and why or why not. */
export function Schedules (): Node {
  useEffect(() => { void schedules.load() }, [])
  const opened = query.value.get('schedule')
  const call = { method: 'GET', path: `${schedules.path}?limit=50` }
  return html`<${Page} title="Work" acts=${html`<${AsRequest} call=${call} />`}
    panel=${opened !== null && html`<${Opened} key=${opened} id=${opened} />`}>
    <${WorkNav} at="schedules" />
    <${Loaded} list=${schedules} retry=${schedules.load} empty=${html`<${Empty} title="No schedule"
      text="Schedules of the code appear when a worker leads; others are made over the interface." />`}>
      ${() => html`<${Table} label="Schedules" columns=${columns} rows=${schedules.items.value}
        idOf=${({ id }: Schedule) => id} current=${opened ?? undefined}
        hrefOf=${({ id }: Schedule) => hrefOf(`/work/schedules?schedule=${id}`)}
        more=${schedules.hasMore.value ? schedules.more : undefined} />`}
    <//>
  <//>`
}
