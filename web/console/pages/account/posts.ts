import { useEffect } from 'preact/hooks'
import { html, type Node } from '../../html.ts'
import { Button } from '../../parts/button.ts'
import { AsRequest } from '../../parts/request.ts'
import { Empty, Loaded } from '../../parts/state.ts'
import { query } from '../../router.ts'
import { wantAssets } from '../../stores/assets.ts'
import { posts } from '../../stores/posts.ts'
import type { Account, Post } from '../../stores/shapes.ts'
import { PostRow } from '../post.ts'
import { syncNow } from '../sync.ts'

const most = 200

/** Posts of one account, newest first; older pages on demand, at most 200 in the document. */
export function Posts ({ account }: { account: Account }): Node {
  const list = posts.get(account.id)
  const q = query.value.get('q')?.toLowerCase() ?? ''
  const fitting = list.items.value.filter(({ text }) => text.toLowerCase().includes(q))
  const shown = fitting.slice(-most)
  useEffect(() => { wantAssets(shown) }, [shown.map(({ id }) => id).join()])
  return html`<${Loaded} list=${list} retry=${async () => await list.load()} empty=${html`<${Empty}
    title="No post was read yet"
      text="A sync reads the posts page by page; they appear here while it runs.">
      <${Button} kind="primary" icon="sync" isDisabled=${account.sync.state === 'running'}
        act=${async () => await syncNow(account)}>Sync now<//><//>`}>
    ${() => html`<section class="box" aria-label="Posts">
      <header><span class="small muted">newest first${fitting.length > most ? `, ${most} at a time` : ''}</span>
        <span class="acts"><${AsRequest} call=${{ method: 'GET', path: `${list.path}?limit=50` }} /></span></header>
      ${shown.map((post: Post) => html`<${PostRow} key=${post.id} post=${post} />`)}
      ${shown.length === 0 && html`<p class="box-body muted">None of the posts read so far fits.</p>`}
      ${list.hasMore.value && html`<p class="box-body"><${Button} act=${list.more}>Older posts<//></p>`}
    </section>`}
  <//>`
}
