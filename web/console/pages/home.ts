import { useEffect } from 'preact/hooks'
import { Page } from '../frame/page.ts'
import { count, plural } from '../format.ts'
import { html, type Node } from '../html.ts'
import { Button } from '../parts/button.ts'
import { Card } from '../parts/card.ts'
import { AsRequest } from '../parts/request.ts'
import { Loaded, Loading, Refused } from '../parts/state.ts'
import { hrefOf, query } from '../router.ts'
import { accounts } from '../stores/accounts.ts'
import { alerts } from '../stores/alerts.ts'
import { wantAssets } from '../stores/assets.ts'
import { downloads, isMoving } from '../stores/downloads.ts'
import { metricOf } from '../stores/metrics.ts'
import { posts } from '../stores/posts.ts'
import type { Account, Post } from '../stores/shapes.ts'
import { openConnect } from './connect.ts'
import { PostRow } from './post.ts'
import { Steps } from './steps.ts'

const mostAccounts = 10
const mostPosts = 40

function useFeeds (list: readonly Account[]): void {
  const ids = list.map(({ id }) => id).join(' ')
  useEffect(() => {
    const stops = list.flatMap(({ id }) => [posts.open(id), downloads.open(id)])
    return () => { for (const stop of stops) stop() }
  }, [ids])
}

function feedOf (list: readonly Account[]): Post[] {
  const q = query.value.get('q')?.toLowerCase() ?? ''
  return list.flatMap(({ id }) => posts.get(id).items.value)
    .filter(({ text }) => text.toLowerCase().includes(q))
    .sort((a, b) => a.publishedAt < b.publishedAt ? 1 : -1)
    .slice(0, mostPosts)
}

function Cards ({ list }: { list: readonly Account[] }): Node {
  const all = accounts.items.value
  const trouble = all.filter(({ health }) => health.state !== 'active').length
  const { value, delta } = metricOf('social.post.discovered') ?? { value: 0, delta: 0 }
  const files = list.flatMap(({ id }) => downloads.get(id).items.value)
  const moving = files.filter(isMoving).length
  const rules = alerts.items.value.length
  const firing = alerts.items.value.filter(({ instance }) => instance?.state === 'firing').length
  return html`<div class="cards">
    <${Card} label="Accounts" value=${count(all.length)} href=${hrefOf('/accounts')}
      note=${trouble > 0 ? `${count(trouble)} need a hand` : 'all active'} />
    <${Card} label="Posts today" value=${count(value)} href=${hrefOf('/analytics')}
      note=${delta > 0 ? `+${count(delta)} in this minute` : 'found since midnight, UTC'} />
    <${Card} label="Downloads" value=${count(files.length - moving)}
      href=${hrefOf(list[0] === undefined ? '/accounts' : `/accounts/${list[0].id}?tab=downloads`)}
      note=${moving > 0 ? `${count(moving)} on their way` : 'none on its way'} />
    <${Card} label="Alerts" value=${count(firing)} href=${hrefOf('/analytics')}
      note=${firing > 0 ? 'firing now' : rules === 0 ? 'no rule yet' : `${plural(rules, 'rule')}, all quiet`} />
  </div>`
}

function Feed ({ list }: { list: readonly Account[] }): Node {
  const items = feedOf(list)
  const [first] = list
  const isReady = list.every(({ id }) => ['ready', 'refused'].includes(posts.get(id).status.value))
  const refused = list.map(({ id }) => posts.get(id)).find(({ problem }) => problem.value !== undefined)
  useEffect(() => { wantAssets(items) }, [items.map(({ id }) => id).join()])
  const nothing = query.value.get('q') === null
    ? 'No post was read yet. Open an account and press “Sync now”.'
    : 'No post of the feed fits.'
  const byId = new Map(list.map((account) => [account.id, account]))
  return html`<section class="box" aria-labelledby="feed-title">
    <header><h2 id="feed-title">Feed</h2><span class="small muted">newest first, of all accounts</span>
      <span class="acts">${first !== undefined && html`<${AsRequest}
        call=${{ method: 'GET', path: `${posts.get(first.id).path}?limit=50` }} />`}</span></header>
    ${refused?.problem.value !== undefined && html`<${Refused} problem=${refused.problem.value}
      retry=${async () => await refused.load()} />`}
    ${items.length === 0 && !isReady && html`<${Loading} />`}
    ${items.length === 0 && isReady && html`<p class="box-body muted">${nothing}</p>`}
    ${items.map((post) => html`<${PostRow} key=${post.id} post=${post} account=${byId.get(post.accountId)} />`)}
  </section>`
}

/** What happened, and what needs a hand. */
export function Home (): Node {
  const list = accounts.items.value.slice(0, mostAccounts)
  useFeeds(list)
  const stored = accounts.items.value.reduce((sum, { counts }) => sum + counts.stored, 0)
  const isNew = accounts.status.value === 'ready' && stored === 0
  return html`<${Page} title="Home" acts=${html`<${Button} icon="plus" kind="primary"
    act=${() => { openConnect() }}>Connect an account<//>`}>
    <${Loaded} list=${accounts} retry=${accounts.load} empty=${html`<${Steps} />`}>
      ${() => html`<div class="stack">${isNew && html`<${Steps} />`}<${Cards} list=${list} /><${Feed} list=${list} />
        </div>`}
    <//>
  <//>`
}
