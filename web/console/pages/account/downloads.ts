import { html, type Node } from '../../html.ts'
import { bytes, count, plural, shortId, span } from '../../format.ts'
import { IdText } from '../../parts/copy.ts'
import { Panel } from '../../parts/panel.ts'
import { Progress, type ProgressState } from '../../parts/progress.ts'
import { AsRequest } from '../../parts/request.ts'
import { Empty, Loaded } from '../../parts/state.ts'
import { Status } from '../../parts/status.ts'
import { Story, type Happening } from '../../parts/story.ts'
import { Table, type Column } from '../../parts/table.ts'
import { hrefOf, query, setQuery } from '../../router.ts'
import { downloads, isMoving } from '../../stores/downloads.ts'
import type { Account, Download } from '../../stores/shapes.ts'
import { downloadTone } from '../words.ts'

const barStates: Partial<Record<Download['state'], ProgressState>> = {
  done: 'done', failed: 'failed', cancelled: 'failed', paused: 'paused'
}

function nameOf ({ name, url, id }: Download): string {
  if (name != null) return name
  if (url === undefined || !URL.canParse(url)) return `file ${shortId(id)}`
  return new URL(url).pathname.split('/').slice(-2).join('/')
}

function textOf ({ bytes: done, total, rate, etaMs, state }: Download): string {
  const size = total === null ? bytes(done) : `${bytes(done)} of ${bytes(total)}`
  if (state !== 'downloading' || rate === null) return size
  return `${size} · ${bytes(rate)}/s${etaMs === null ? '' : ` · ${span(etaMs)} left`}`
}

function Bar ({ download }: { download: Download }): Node {
  const { bytes: done, total, state } = download
  const isWaiting = state === 'queued' || state === 'probing'
  return html`<${Progress} label=${nameOf(download)} done=${done} total=${isWaiting ? Math.max(1, total ?? 1) : total}
    state=${barStates[state] ?? 'running'} text=${textOf(download)} />`
}

const columns: ReadonlyArray<Column<Download>> = [
  { key: 'name', head: 'File', cell: (one) => html`<span class="file-name">${nameOf(one)}</span>` },
  { key: 'state', head: 'State', cell: (one) => html`<${Status} tone=${downloadTone(one)} word=${one.state} />` },
  { key: 'bar', head: 'Bytes', cell: (one) => html`<${Bar} download=${one} />` }
]

function Sum ({ items }: { items: readonly Download[] }): Node {
  const done = items.filter(({ state }) => state === 'done').length
  const failed = items.filter(({ state }) => state === 'failed').length
  const moved = items.reduce((sum, one) => sum + one.bytes, 0)
  const rate = items.filter(isMoving).reduce((sum, one) => sum + (one.state === 'downloading' ? one.rate ?? 0 : 0), 0)
  const moving = items.filter(isMoving).length
  const parts = [`${count(done)} of ${plural(items.length, 'file')}`, bytes(moved)]
  if (moving > 0 && rate > 0) parts.push(`${bytes(rate)}/s`)
  if (failed > 0) parts.push(`${count(failed)} failed`)
  return html`<div class="box box-body"><${Progress} label="All downloads" done=${items.length - moving}
    total=${items.length}
    state=${moving === 0 ? 'done' : 'running'} text=${parts.join(' · ')} /></div>`
}

function Detail ({ download, story }: { download: Download, story: readonly Happening[] }): Node {
  const { id, fileId, sha256, type, restarts, errorCode, url } = download
  return html`<${Panel} title=${nameOf(download)} close=${() => { setQuery({ open: undefined }) }}>
    <${Bar} download=${download} />
    <dl class="facts">
      <dt>State</dt><dd><${Status} tone=${downloadTone(download)} word=${download.state} /></dd>
      ${errorCode !== null && html`<dt>Error</dt><dd><code>${errorCode}</code></dd>`}
      <dt>Restarts</dt><dd class="figures">${count(restarts)}</dd>
      ${type != null && html`<dt>Type</dt><dd>${type}</dd>`}
      ${sha256 != null && html`<dt>SHA-256</dt><dd><${IdText} id=${sha256} what="SHA-256" /></dd>`}
      <dt>File</dt><dd><${IdText} id=${fileId} what="File id" /></dd>
      ${url !== undefined && html`<dt>From</dt><dd><code>${url}</code></dd>`}
    </dl>
    <h3>What happened</h3><${Story} label="Story of the download" items=${story} />
    <${AsRequest} call=${{ method: 'GET', path: `/v1/fetch/downloads/${id}` }} />
  <//>`
}

/** One bar that sums up, then every transfer with its own. */
export function Downloads ({ account }: { account: Account }): Node {
  const list = downloads.get(account.id)
  const open = query.value.get('open')
  const q = query.value.get('q')?.toLowerCase() ?? ''
  const items = list.items.value
  const detail = items.find(({ id }) => id === open)
  return html`<${Loaded} list=${list} retry=${list.load} empty=${html`<${Empty} title="No download yet"
      text="Pictures of the posts are fetched after the page they stand on was read." />`}>
    ${() => html`<${Sum} items=${items} />
      <${Table} label="Downloads" columns=${columns}
        rows=${items.filter((one) => nameOf(one).toLowerCase().includes(q))}
        idOf=${({ id }: Download) => id} current=${open ?? undefined}
        hrefOf=${({ id }: Download) => hrefOf(`/accounts/${account.id}?tab=downloads&open=${id}`)} />
      ${detail !== undefined && html`<${Detail} key=${detail.id} download=${detail} story=${list.storyOf(detail)} />`}`}
  <//>`
}
