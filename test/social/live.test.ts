import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { openWatcher, type Watcher } from '../../bin/demo/watcher.ts'
import { signIn, type SignedIn } from '../sign-in.ts'
import { startRig, type Rig } from './rig.ts'

async function until (what: string, is: () => Promise<boolean> | boolean): Promise<void> {
  const end = performance.now() + 60_000
  while (!await is()) {
    if (performance.now() > end) throw new Error(`waited in vain for ${what}`)
    await sleep(20)
  }
}

async function watch (rig: Rig, who: SignedIn): Promise<Watcher> {
  const { port } = rig.app.server.address() as { port: number }
  return await openWatcher({
    name: who.email, origin: `http://127.0.0.1:${port}`, token: () => who.accessToken, onLoad: () => undefined
  })
}

t.test('what is told of an account is what REST shows', async (t) => {
  const rig = await startRig(t, { posts: 205, hasMedia: true })
  const { app, call, sync } = rig
  await app.listen({ host: '127.0.0.1', port: 0 })
  const accountId = await rig.connect()
  const watcher = await watch(rig, rig.me)
  t.teardown(() => { watcher.close() })
  const names = ['account', 'feed', 'downloads'].map(
    (noun) => `social.${noun}:${accountId}`) as [string, string, string]
  for (const name of names) await watcher.subscribe(name)
  const [account, feed, downloads] = names.map((name) => watcher.channel(name)) as [Channel, Channel, Channel]
  t.equal((await sync(accountId)).state, 'succeeded')

  const itemsOf = () => feed.pubs.flatMap(({ k, d }) => k === 'batch' ? d['items'] as Item[] : [])
  await until('every batch', () => itemsOf().length >= 205)
  t.equal(feed.pubs.length, 6, 'one batch per page')
  const ids = itemsOf().map(({ remoteId }) => BigInt(remoteId))
  t.ok(ids.every((id, place) => place === 0 || id < ids[place - 1]!), 'the ids strictly descend')
  const posts = await Promise.all([0, 1, 2].map(async (year) => await call(
    'GET', `/v1/social/accounts/${accountId}/posts?limit=100&from=${2016 + year}-01-01&to=${2017 + year}-01-01`)))
  const kept = new Set(posts.flatMap(({ body }) => body.data.map(({ id }: { id: string }) => id)))
  t.ok(itemsOf().filter(({ postId }) => kept.has(postId)).length === kept.size)
  t.ok(itemsOf().every(({ text, change }) => text.length <= 140 && change === 'discovered'))

  const pages = account.pubs.flatMap(({ key, d }) => key === 'sync' ? [d['pages'] as number] : [])
  await until('the last page', async () => account.state.get('sync')?.['state'] === 'done')
  t.same(pages, pages.toSorted((a, b) => a - b), 'pages only rise')
  const { body } = await call('GET', `/v1/social/accounts/${accountId}`)
  for (const key of ['health', 'profile', 'sync', 'counts', 'limits']) {
    t.same(
      account.state.get(key), body[key], key)
  }
  t.equal(account.state.get('sync')?.['pages'], 6)

  await until('every transfer', async () => {
    const { body } = await call('GET', `/v1/social/accounts/${accountId}/downloads?limit=100`)
    return body.data.length > 0 && body.data.every(({ id, state }: { id: string, state: string }) =>
      state === 'done' && downloads.state.get(id)?.['state'] === 'done')
  })
  const highest = new Map<string, number>()
  const fallen = downloads.pubs.filter(({ key = '', d }) => {
    const before = highest.get(key) ?? 0
    highest.set(key, Math.max(before, d['bytes'] as number))
    return (d['bytes'] as number) < before
  })
  t.same(fallen, [], 'bytes never fall')
  t.same(watcher.faults, [])

  await t.test('somebody else may not join', async (t) => {
    const other = await watch(rig, await signIn(app))
    t.teardown(() => { other.close() })
    for (const name of names) await other.subscribe(name)
    t.equal(other.faults.length, 3, other.faults.join('\n'))
    t.ok(other.faults.every((fault) => fault.includes('account_not_found')), other.faults.join('\n'))
  })
})

type Channel = ReturnType<Watcher['channel']>
interface Item { postId: string, remoteId: string, change: string, text: string }
