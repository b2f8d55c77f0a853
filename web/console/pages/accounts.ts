import { useEffect } from 'preact/hooks'
import { Page } from '../frame/page.ts'
import { initial } from '../frame/top.ts'
import { count } from '../format.ts'
import { html, type Node } from '../html.ts'
import { Button } from '../parts/button.ts'
import { AsRequest } from '../parts/request.ts'
import { Empty, Loaded } from '../parts/state.ts'
import { Status } from '../parts/status.ts'
import { Table, type Column } from '../parts/table.ts'
import { Time } from '../parts/time.ts'
import { toast } from '../parts/toast.ts'
import { hrefOf, query, setQuery } from '../router.ts'
import { accounts } from '../stores/accounts.ts'
import type { Account } from '../stores/shapes.ts'
import { openConnect } from './connect.ts'
import { healthOf, hostOf, syncOf, syncText } from './words.ts'

const columns: ReadonlyArray<Column<Account>> = [
  {
    key: 'name',
    head: 'Account',
    cell: ({ label, handle, instance }) => html`<span class="who"><span class="avatar"
      aria-hidden="true">${initial(label)}</span>
      <span class="who-names"><span class="cut">${label}</span><span
        class="small muted cut">@${handle} · ${hostOf(instance)}</span></span></span>`
  },
  { key: 'health', head: 'Health', cell: (account) => html`<${Status} ...${healthOf(account)} />` },
  {
    key: 'sync',
    head: 'Sync',
    isExtra: true,
    cell: (account) => html`<${Status} ...${syncOf(account)} />${account.sync.state === 'running' && html` <span
      class="small muted figures">${syncText(account)}</span>`}`
  },
  {
    key: 'last', head: 'Last success', isExtra: true, cell: ({ lastSuccessAt }) => html`<${Time} at=${lastSuccessAt}
    none="never" />`
  },
  { key: 'next', head: 'Next sync', isExtra: true, cell: ({ nextSyncAt }) => html`<${Time} at=${nextSyncAt} />` },
  { key: 'posts', head: 'Posts', isFigure: true, cell: ({ counts }) => count(counts.stored) }
]

function fits ({ label, handle, instance }: Account): boolean {
  return `${label} ${handle} ${instance}`.toLowerCase().includes(query.value.get('q')?.toLowerCase() ?? '')
}

/** The tracked accounts with health, last success, posts and next sync. */
export function Accounts (): Node {
  const isBack = query.value.get('connected') !== null
  useEffect(() => {
    if (!isBack) return
    setQuery({ connected: undefined })
    toast('Account connected. Nothing is read before the first sync.')
  }, [isBack])
  const shown = accounts.items.value.filter(fits)
  const connect = html`<${Button} icon="plus" kind="primary" act=${() => { openConnect() }}>Connect an account<//>`
  return html`<${Page} title="Accounts" acts=${html`<${AsRequest}
    call=${{ method: 'GET', path: `${accounts.path}?limit=100` }} />${connect}`}>
    <${Loaded} list=${accounts} retry=${accounts.load} empty=${html`<${Empty} title="No account yet"
      text="Connect an account of any Mastodon-compatible server to read its posts and pictures.">${connect}<//>`}>
      ${() => shown.length === 0
        ? html`<p class="muted">No account fits “${query.value.get('q')}”.</p>`
        : html`<${Table} label="Accounts" columns=${columns} rows=${shown} idOf=${({ id }: Account) => id}
          hrefOf=${({ id }: Account) => hrefOf(`/accounts/${id}`)}
            more=${accounts.hasMore.value ? accounts.more : undefined} />`}
    <//>
  <//>`
}
