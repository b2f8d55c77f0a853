import { html, type Node } from '../../html.ts'
import { count } from '../../format.ts'
import { Progress } from '../../parts/progress.ts'
import { Status } from '../../parts/status.ts'
import { Time } from '../../parts/time.ts'
import type { Account } from '../../stores/shapes.ts'
import { syncOf } from '../words.ts'

const states = { idle: 'paused', running: 'running', done: 'done', failed: 'failed' } as const

/** Pages and items as they are read; the platform's own count of posts is the total, where it tells one. */
export function SyncBox ({ account }: { account: Account }): Node {
  const { sync, counts, nextSyncAt, lastSuccessAt } = account
  const total = counts.posts ?? null
  const isFirst = sync.state === 'running' && total !== null && sync.items > 0
  return html`<section class="box" aria-labelledby="sync-title">
    <header><h2 id="sync-title">Sync</h2><span class="acts"><${Status} ...${syncOf(account)} /></span></header>
    <div class="box-body">
      ${sync.state !== 'idle' && html`<${Progress} label="Sync" done=${isFirst ? sync.items : 0}
        total=${isFirst ? total : null}
        state=${states[sync.state]} />`}
      <dl class="figures-row">
        <div><dt>Pages</dt><dd class="figures" data-figure="pages">${count(sync.pages)}</dd></div>
        <div><dt>Items</dt><dd class="figures" data-figure="items">${count(sync.items)}</dd></div>
        <div><dt>Stored posts</dt><dd class="figures" data-figure="stored">${count(counts.stored)}</dd></div>
        ${counts.followers !== undefined && html`<div><dt>Followers</dt><dd class="figures">${count(counts.followers)}
          </dd></div>`}
      </dl>
      <p class="small muted">Last success <${Time} at=${lastSuccessAt} none="never" /> · next sync <${Time}
        at=${nextSyncAt} none="after the first one" /></p>
    </div>
  </section>`
}
