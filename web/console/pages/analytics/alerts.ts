import { useSignal } from '@preact/signals'
import { count, span } from '../../format.ts'
import { html, type Node } from '../../html.ts'
import { Button } from '../../parts/button.ts'
import { IdText } from '../../parts/copy.ts'
import { Panel } from '../../parts/panel.ts'
import { AsRequest } from '../../parts/request.ts'
import { Empty, Loaded } from '../../parts/state.ts'
import { Status } from '../../parts/status.ts'
import { Story, type Happening } from '../../parts/story.ts'
import { Table, type Column } from '../../parts/table.ts'
import { toast } from '../../parts/toast.ts'
import { hrefOf, query, setQuery } from '../../router.ts'
import { alertNews, alerts, removeAlert } from '../../stores/alerts.ts'
import type { Alert } from '../../stores/shapes.ts'
import { alertState, ruleText } from '../words.ts'
import { AlertForm } from './alert-form.ts'

const columns: ReadonlyArray<Column<Alert>> = [
  { key: 'name', head: 'Rule', cell: ({ name }) => html`<span class="text">${name}</span>` },
  { key: 'state', head: 'State', cell: (alert) => html`<${Status} ...${alertState(alert)} />` },
  { key: 'rule', head: 'Fires at', isExtra: true, cell: (alert) => html`<span class="text">${ruleText(alert)}</span>` },
  {
    key: 'value',
    head: 'Value',
    isFigure: true,
    cell: ({ instance }) => instance?.value == null ? '–' : count(instance.value)
  }
]

const standing = (value: number, threshold: number): string =>
  `The count stood at ${count(value)}; the threshold is ${count(threshold)}.`

function newsOf (alert: Alert): Happening[] {
  return alertNews.value.filter(({ alertId }) => alertId === alert.id).map(({ at, kind, value, threshold }) => ({
    at, what: kind, tone: kind === 'firing' ? 'bad' : 'good', why: standing(value, threshold)
  }))
}

/** What the rule looked at and what it saw, oldest first. */
export function storyOf (alert: Alert): Happening[] {
  const { instance, createdAt, threshold } = alert
  const made: Happening = { at: createdAt, what: 'rule made', tone: 'muted', why: ruleText(alert) }
  const news = newsOf(alert)
  if (instance === null || news.some(({ at }) => at === instance.since)) return [made, ...news]
  const { state, since, value } = instance
  return [made, ...news, {
    // A tick is a fixed instant, so the first one may lie just before its rule.
    at: since < createdAt ? createdAt : since,
    what: state === 'normal' ? 'quiet again' : state,
    tone: state === 'firing' ? 'bad' : 'good',
    why: value === null ? undefined : standing(value, threshold)
  }]
}

function Detail ({ alert }: { alert: Alert }): Node {
  const close = (): void => { setQuery({ alert: undefined }) }
  const remove = async (): Promise<void> => {
    await removeAlert(alert.id)
    close()
    toast('Rule removed.')
  }
  return html`<${Panel} title=${alert.name} close=${close}>
    <${Status} ...${alertState(alert)} />
    <dl class="facts">
      <dt>Fires at</dt><dd>${ruleText(alert)}</dd>
      ${alert.query.where?.map(({ prop, op, value }) => html`<dt key=${prop}>Only where</dt><dd>
        <code>${prop} ${op} ${String(value)}</code></dd>`)}
      <dt>Looks every</dt><dd>${span(alert.everyMs)}</dd>
      <dt>Must hold for</dt><dd>${alert.forMs === 0 ? 'one look' : span(alert.forMs)}</dd>
      <dt>Id</dt><dd><${IdText} id=${alert.id} what="Rule id" /></dd>
    </dl>
    <h3>Why did it fire</h3><${Story} label="Story of the rule" items=${storyOf(alert)} />
    <div class="form-end"><${AsRequest} call=${{ method: 'GET', path: `${alerts.path}/${alert.id}` }} />
      <${Button} kind="bad" act=${remove}>Remove the rule<//></div>
  <//>`
}

/** Rules with their state; a row tells why it fired. */
export function Alerts (): Node {
  const isOpen = useSignal(false)
  const asked = query.value.get('alert')
  const q = query.value.get('q')?.toLowerCase() ?? ''
  const detail = alerts.items.value.find(({ id }) => id === asked)
  const make = html`<${Button} icon="plus" act=${() => { isOpen.value = true }}>New rule<//>`
  return html`<section class="box" aria-labelledby="alerts-title">
    <header><h2 id="alerts-title">Alert rules</h2><span class="acts"><${AsRequest}
      call=${{ method: 'GET', path: `${alerts.path}?limit=50` }} />${make}</span></header>
    <${Loaded} list=${alerts} retry=${alerts.load} empty=${html`<${Empty} title="No rule yet"
      text="A rule watches a count and tells you, in the inbox and by mail, when it crosses a line.">${make}<//>`}>
      ${() => html`<${Table} label="Alert rules" columns=${columns}
        rows=${alerts.items.value.filter(({ name }) => name.toLowerCase().includes(q))}
        idOf=${({ id }: Alert) => id} hrefOf=${({ id }: Alert) => hrefOf(`/analytics?alert=${id}`)}
          current=${asked ?? undefined}
        more=${alerts.hasMore.value ? alerts.more : undefined} />`}
    <//>
    ${detail !== undefined && html`<${Detail} key=${detail.id} alert=${detail} />`}
    ${isOpen.value && html`<${AlertForm} close=${() => { isOpen.value = false }} />`}
  </section>`
}
