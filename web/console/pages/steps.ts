import { html, type Children, type Node } from '../html.ts'
import { Button } from '../parts/button.ts'
import { Icon } from '../parts/icon.ts'
import { Progress } from '../parts/progress.ts'
import { go } from '../router.ts'
import { accounts } from '../stores/accounts.ts'
import type { Account } from '../stores/shapes.ts'
import { openConnect } from './connect.ts'
import { syncNow } from './sync.ts'
import { syncText } from './words.ts'

function Step ({ n, title, isDone, isNext, children }: {
  n: number, title: string, isDone: boolean, isNext: boolean, children?: Children
}): Node {
  return html`<li class="step ${isDone ? 'done' : isNext ? 'next' : ''}" aria-current=${isNext ? 'step' : undefined}>
    <span class="step-n figures">${isDone ? html`<${Icon} name="check" /><span class="hidden">done</span>` : n}</span>
    <div><h3>${title}</h3>${children}</div>
  </li>`
}

function SyncStep ({ account }: { account: Account }): Node {
  return account.sync.state === 'running'
    ? html`<${Progress} label="Sync of ${account.label}" done=${0} total=${null} text=${syncText(account)} />`
    : html`<${Button} kind="primary" icon="sync" act=${async () => await syncNow(account)}>Sync now<//>`
}

/** The way from an empty workspace to something that moves. */
export function Steps (): Node {
  const [account] = accounts.items.value
  const isConnected = account !== undefined
  const hasPosts = isConnected && account.counts.stored > 0
  const connect = html`<${Button} kind="primary" icon="plus" act=${() => { openConnect() }}>Connect an account<//>`
  return html`<section class="box steps" aria-label="First steps"><ol>
    <${Step} n=${1} title="Connect" isDone=${isConnected} isNext=${!isConnected}>
      <p class="muted">Sign in to an account of any Mastodon-compatible server, or paste a token of it.</p>
      ${!isConnected && connect}
    <//>
    <${Step} n=${2} title="Sync" isDone=${hasPosts} isNext=${isConnected && !hasPosts}>
      <p class="muted">Read its posts and fetch their pictures; later it goes on by itself.</p>
      ${isConnected && !hasPosts && html`<${SyncStep} account=${account} />`}
    <//>
    <${Step} n=${3} title="See" isDone=${false} isNext=${hasPosts}>
      <p class="muted">Posts arrive here while they are read; downloads and counts move on the account's own page.</p>
      ${isConnected && html`<${Button} act=${() => { go(`/accounts/${account.id}`) }}>Open ${account.label}<//>`}
    <//>
  </ol></section>`
}
