import { useSignal } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import { Page } from '../../frame/page.ts'
import { count, plural } from '../../format.ts'
import { html, type Node } from '../../html.ts'
import { Button } from '../../parts/button.ts'
import { Dialog } from '../../parts/dialog.ts'
import { Panel } from '../../parts/panel.ts'
import { AsRequest } from '../../parts/request.ts'
import { Empty, Loaded, Refused } from '../../parts/state.ts'
import { Status } from '../../parts/status.ts'
import { Table, type Column } from '../../parts/table.ts'
import { Time } from '../../parts/time.ts'
import { toast } from '../../parts/toast.ts'
import { problemOf, type Problem } from '../../problem.ts'
import { hrefOf, query, setQuery } from '../../router.ts'
import {
  discardGroup, groups, letters, replayGroup, type Group, type Letter, type ReplayReport
} from '../../stores/work.ts'
import { WorkNav } from './nav.ts'
import { AskReason } from './reason.ts'

const columns: ReadonlyArray<Column<Group>> = [
  { key: 'name', head: 'Job', cell: ({ name }) => html`<code>${name}</code>` },
  { key: 'class', head: 'Class', cell: (group) => html`<${Status} tone="bad" word=${group.class} />` },
  {
    key: 'message', head: 'What it said', isExtra: true,
    cell: ({ code, message }) => html`<span class="text small"><code>${code}</code> ${message}</span>`
  },
  { key: 'count', head: 'Open', isFigure: true, cell: (group) => count(group.count) },
  { key: 'last', head: 'Last', isFigure: true, isExtra: true, cell: ({ lastAt }) => html`<${Time} at=${lastAt} />` }
]

const letterColumns: ReadonlyArray<Column<Letter>> = [
  { key: 'at', head: 'Died', cell: ({ failedAt }) => html`<${Time} at=${failedAt} />` },
  { key: 'message', head: 'What it said', cell: ({ message }) => html`<span class="text small">${message}</span>` },
  { key: 'round', head: 'Replays', isFigure: true, cell: ({ round }) => round }
]

const reread = async (): Promise<void> => { await groups.load() }

/** A dry run first: how many would go, and which would be refused. */
function Replay ({ group, close }: { group: Group, close: () => void }): Node {
  const report = useSignal<ReplayReport | undefined>(undefined)
  const problem = useSignal<Problem | undefined>(undefined)
  useEffect(() => {
    void replayGroup(group.fingerprint, true).then((answer) => { report.value = answer })
      .catch((error: unknown) => { problem.value = problemOf(error) })
  }, [])
  const replay = async (): Promise<void> => {
    await replayGroup(group.fingerprint, false)
    toast('The letters are replayed, ten a second.')
    close()
    setQuery({ group: undefined })
    await reread()
  }
  const { matched = group.count, refused = [] } = report.value ?? {}
  const codes = [...new Set(refused.map(({ code }) => code))].join(', ')
  const words = report.value === undefined
    ? 'Counting…'
    : `${plural(matched - refused.length, 'letter')} would be replayed as new runs in lane bulk, ten a second` +
      (refused.length === 0 ? '.' : `; ${count(refused.length)} would be refused (${codes}).`)
  return html`<${Dialog} title="Replay ${group.name}" close=${close}>
    ${problem.value === undefined ? html`<p>${words}</p>` : html`<${Refused} problem=${problem.value} />`}
    <p class="small muted">The third replay of the same origin is the last one.</p>
    <div class="form-end"><${Button} kind="primary" isDisabled=${report.value === undefined}
      act=${replay}>Replay<//></div>
  <//>`
}

function Detail ({ group }: { group: Group }): Node {
  const path = `/v1/jobs/dead-letters?fingerprint=${group.fingerprint}`
  const list = letters.get(path)
  const [isReplay, isDiscard] = [useSignal(false), useSignal(false)]
  useEffect(() => letters.open(path), [path])
  return html`<${Panel} title=${group.name} close=${() => { setQuery({ group: undefined }) }}>
    <${Status} tone="bad" word=${group.class} />
    <p class="text"><code>${group.code}</code> ${group.message}</p>
    <dl class="facts">
      <dt>Open</dt><dd>${count(group.count)}</dd>
      <dt>First</dt><dd><${Time} at=${group.firstAt} /></dd>
      <dt>Last</dt><dd><${Time} at=${group.lastAt} /></dd>
      <dt>Workspaces</dt><dd>${group.workspaces.length}</dd>
    </dl>
    <${Loaded} list=${list} retry=${list.load}>${() => html`<${Table} label="Letters" columns=${letterColumns}
      rows=${list.items.value} idOf=${({ id }: Letter) => id}
      hrefOf=${({ id }: Letter) => hrefOf(`/work/letters/${id}`)}
      more=${list.hasMore.value ? list.more : undefined} />`}<//>
    <div class="form-end"><${AsRequest} call=${{ method: 'GET', path }} />
      <${Button} kind="bad" act=${() => { isDiscard.value = true }}>Discard<//>
      <${Button} kind="primary" act=${() => { isReplay.value = true }}>Replay<//></div>
    ${isReplay.value && html`<${Replay} group=${group} close=${() => { isReplay.value = false }} />`}
    ${isDiscard.value && html`<${AskReason} title="Discard ${plural(group.count, 'letter')}" submit="Discard"
      text="They are closed and never tried again; they stay to be read for thirty days."
      close=${() => { isDiscard.value = false }}
      act=${async (reason: string) => {
        toast(`${plural(await discardGroup(group.fingerprint, reason), 'letter')} discarded.`)
        setQuery({ group: undefined })
        await reread()
      }} />`}
  <//>`
}

/** Dead letters by what killed them. */
export function Letters (): Node {
  useEffect(() => { void groups.load() }, [])
  const open = groups.items.value.find(({ fingerprint }) => fingerprint === query.value.get('group'))
  return html`<${Page} title="Work" acts=${html`<${AsRequest} call=${{ method: 'GET', path: groups.path }} /><${Button}
      icon="sync" act=${reread}>Read again<//>`}
    panel=${open !== undefined && html`<${Detail} key=${open.fingerprint} group=${open} />`}>
    <${WorkNav} at="letters" />
    <${Loaded} list=${groups} retry=${groups.load} empty=${html`<${Empty} title="No dead letter"
      text="A run that will not be tried again by itself waits here for a person." />`}>
      ${() => html`<${Table} label="Dead letters by kind" columns=${columns} rows=${groups.items.value}
        idOf=${({ fingerprint }: Group) => fingerprint} current=${open?.fingerprint}
        hrefOf=${({ fingerprint }: Group) => hrefOf(`/work/letters?group=${fingerprint}`)} />`}
    <//>
  <//>`
}
