import { useEffect } from 'preact/hooks'
import { Page } from '../frame/page.ts'
import { html, type Node } from '../html.ts'
import { plural } from '../format.ts'
import { Button } from '../parts/button.ts'
import { AsRequest } from '../parts/request.ts'
import { Empty, Loaded } from '../parts/state.ts'
import { Status } from '../parts/status.ts'
import { Time } from '../parts/time.ts'
import { query } from '../router.ts'
import { actOn, inbox, readAll } from '../stores/inbox.ts'
import type { InboxItem } from '../stores/shapes.ts'

function Item ({ item }: { item: InboxItem }): Node {
  const { title, body, link, readAt, createdAt } = item
  const isRead = readAt !== null
  const read = (): void => { if (!isRead) void actOn(item, 'read') }
  const isOurs = link?.startsWith('/console') === true
  return html`<article class="item ${isRead ? '' : 'unread'}" aria-label=${title}>
    <${Status} tone=${isRead ? 'muted' : 'info'} word=${isRead ? 'read' : 'unread'} />
    <div class="item-main">
      <h2 class="text">${isOurs ? html`<a href=${link} onClick=${read}>${title}</a>` : title}</h2>
      <p class="text">${body}</p>
      <p class="small muted"><${Time} at=${createdAt} /></p>
    </div>
    <div class="item-acts">
      <${Button} act=${async () => { await actOn(item, isRead ? 'unread' : 'read') }}>
        ${isRead ? 'Mark unread' : 'Mark read'}<//>
      <${Button} act=${async () => { await actOn(item, 'archive') }}>Archive<//>
    </div>
  </article>`
}

/** What we told the person, with its read state. */
export function Inbox (): Node {
  const q = query.value.get('q')?.toLowerCase() ?? ''
  const shown = inbox.items.value.filter(({ title, body }) => `${title} ${body}`.toLowerCase().includes(q))
  const unread = inbox.unread.value
  useEffect(() => { document.title = unread > 0 ? `(${unread}) Inbox · Switchyard` : 'Inbox · Switchyard' }, [unread])
  return html`<${Page} title="Inbox" sub=${unread === 0 ? 'Everything is read.' : `${plural(unread, 'item')} unread.`}
    acts=${html`<${AsRequest} call=${{ method: 'GET', path: `${inbox.path}?limit=50` }} />
      <${Button} icon="check" isDisabled=${unread === 0} act=${readAll}>Mark all read<//>`}>
    <${Loaded} list=${inbox} retry=${inbox.load} empty=${html`<${Empty} title="Nothing here"
      text="When an alert rule fires, it says so here and by mail."><a class="button"
        href="/console/analytics">Make a rule</a><//>`}>
      ${() => html`<section class="box" aria-label="Items">${shown.map((item) => html`<${Item} key=${item.id}
        item=${item} />`)}
        ${shown.length === 0 && html`<p class="box-body muted">No item fits.</p>`}
        ${inbox.hasMore.value && html`<p class="box-body"><${Button} act=${inbox.more}>Older items<//></p>`}</section>`}
    <//>
  <//>`
}
