import { useEffect } from 'preact/hooks'
import { Page } from '../frame/page.ts'
import { count } from '../format.ts'
import { html, type Node } from '../html.ts'
import { Button } from '../parts/button.ts'
import { IdText } from '../parts/copy.ts'
import { Icon } from '../parts/icon.ts'
import { AsRequest } from '../parts/request.ts'
import { Empty, Loading, Refused } from '../parts/state.ts'
import { Status } from '../parts/status.ts'
import { Tabs, currentTab } from '../parts/tabs.ts'
import { hrefOf } from '../router.ts'
import { accountOf, accounts } from '../stores/accounts.ts'
import { downloads } from '../stores/downloads.ts'
import { posts } from '../stores/posts.ts'
import type { Account } from '../stores/shapes.ts'
import { Downloads } from './account/downloads.ts'
import { HealthBox } from './account/health.ts'
import { Posts } from './account/posts.ts'
import { SyncBox } from './account/sync.ts'
import { Trend } from './account/trend.ts'
import { openConnect } from './connect.ts'
import { syncNow } from './sync.ts'
import { healthOf, hostOf } from './words.ts'

function Acts ({ account }: { account: Account }): Node {
  const needsHand = account.health.state !== 'active'
  return html`<${AsRequest} call=${{ method: 'GET', path: `/v1/social/accounts/${account.id}` }} />
    ${needsHand
      ? html`<${Button} kind="primary" act=${() => { openConnect(account) }}>Sign in again<//>`
      : html`<${Button} kind="primary" icon="sync" isDisabled=${account.sync.state === 'running'}
        act=${async () => await syncNow(account)}>${account.sync.state === 'running' ? 'Syncing' : 'Sync now'}<//>`}`
}

function tabsOf (account: Account) {
  const files = downloads.get(account.id).items.value.length
  return [
    { key: 'posts', label: 'Posts', count: count(account.counts.stored) },
    { key: 'downloads', label: 'Downloads', count: count(files) },
    { key: 'trend', label: 'Posts per day' }
  ]
}

function Known ({ account }: { account: Account }): Node {
  const { id, label, handle, instance, profile } = account
  useEffect(() => {
    const stops = [posts.open(id), downloads.open(id)]
    return () => { for (const stop of stops) stop() }
  }, [id])
  const tabs = tabsOf(account)
  const tab = currentTab(tabs)
  return html`<${Page} title=${label} acts=${html`<${Acts} account=${account} />`}
    sub=${html`<a class="crumb" href=${hrefOf('/accounts')}><${Icon} name="left" />Accounts</a><span
      class="cut">@${handle}</span>
      ${profile.url !== null && /^https?:/.test(profile.url)
        ? html`<a href=${profile.url} target="_blank" rel="noreferrer noopener">${hostOf(instance)}</a>`
        : html`<span>${hostOf(instance)}</span>`}
      <${Status} ...${healthOf(account)} /><${IdText} id=${id} what="Account id" />`}>
    <div class="duo"><${SyncBox} account=${account} /><${HealthBox} account=${account} /></div>
    <${Tabs} tabs=${tabs} label="Views of the account" />
    <div id="tab-panel" role="tabpanel" aria-labelledby="tab-${tab}">
      ${tab === 'posts' && html`<${Posts} account=${account} />`}
      ${tab === 'downloads' && html`<${Downloads} account=${account} />`}
      ${tab === 'trend' && html`<${Trend} key=${id} account=${account} />`}
    </div>
  <//>`
}

/** One account: health, sync, posts, downloads, posts per day. */
export function AccountPage ({ id }: { id: string }): Node {
  const account = accountOf(id)
  if (account !== undefined) return html`<${Known} key=${id} account=${account} />`
  const problem = accounts.problem.value
  return html`<${Page} title="Account">
    ${problem !== undefined && html`<${Refused} problem=${problem} retry=${accounts.load} />`}
    ${problem === undefined && accounts.status.value !== 'ready' && html`<${Loading} />`}
    ${problem === undefined && accounts.status.value === 'ready' && html`<${Empty} title="No such account"
      text="It was disconnected, or the address is mistyped."><a class="button"
        href=${hrefOf('/accounts')}>All accounts</a><//>`}
  <//>`
}
