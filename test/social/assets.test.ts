import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { drain, type TestApp } from '../helper.ts'
import { startRig, type Rig } from './rig.ts'

async function until (what: string, is: () => Promise<boolean> | boolean, timeoutMs = 60_000): Promise<void> {
  const end = performance.now() + timeoutMs
  while (!await is()) {
    if (performance.now() > end) throw new Error(`waited in vain for ${what}`)
    await sleep(30)
  }
}

t.test('media of posts become assets', async (t) => {
  const rig = await startRig(t, { posts: 60, hasMedia: true })
  const { app, call, platforms: { faults, world }, sync } = rig
  const accountId = await rig.connect()
  const { posts } = world.accounts.get(world.actorId)!
  const files = posts.flatMap(({ media }) => media === null ? [] : [media])
  const [gone, odd] = [files[0]!, files[1]!]
  const answer = (status: number, body: unknown) => ({ kind: 'answer' as const, status, body })
  faults.add(
    { match: { operation: 'media.get', remoteId: String(gone) }, effect: answer(404, { error: 'gone' }), times: null })
  faults.add({
    match: { operation: 'media.get', remoteId: String(odd) }, effect: answer(200, { not: 'a picture' }), times: null
  })

  t.equal((await sync(accountId)).state, 'succeeded')
  await drain(app, { timeoutMs: 90_000 })
  const assets = (await call('GET', `/v1/social/accounts/${accountId}/assets?limit=100`)).body.data
  t.equal(assets.length, files.length)
  const byFile = new Map(
    assets.map((asset: { remoteUrl: string }) => [Number(asset.remoteUrl.split('/').at(-1)), asset]))
  t.match(byFile.get(gone), { state: 'gone' }, 'a file that the host has no more, at the same address twice')
  t.match(byFile.get(odd), { state: 'rejected', reason: /type/ })
  const ready = assets.filter(({ state }: { state: string }) => state === 'ready')
  t.equal(ready.length, files.length - 2)
  for (const { url, thumbUrl } of ready) {
    for (const link of [url, thumbUrl]) {
      const { pathname, search } = new URL(link)
      t.equal((await call('GET', pathname + search, undefined, { who: null })).status, 200)
    }
  }
  t.equal((byFile.get(odd) as { url?: string }).url, undefined, 'no byte of a refused file')
  const downloads = (await call('GET', `/v1/social/accounts/${accountId}/downloads?limit=100`)).body
  t.match(downloads.position, { channel: `social.downloads:${accountId}` })
  t.equal(downloads.data.filter(({ state }: { state: string }) => state === 'done').length, files.length - 1)
  const types = ['social.asset.ready', 'social.asset.rejected', 'social.asset.gone']
  const counts = await Promise.all(
    types.map(async (type) => await app.db.collection('jobs.events').countDocuments({ type })))
  t.same(counts, [files.length - 2, 1, 1])

  await t.test('a file is fetched again on demand', async (t) => {
    faults.clear()
    const path = (id: string) => `/v1/social/assets/${id}/fetch`
    t.match(await call('POST', path((byFile.get(gone) as { id: string }).id), {}),
      { status: 404, body: { code: 'social.asset_gone' } })
    const { id } = byFile.get(odd) as { id: string }
    t.match(
      await call('POST', path(id), { lane: 'interactive' }), { status: 202, body: { type: 'social.fetch-asset' } })
    await drain(app, { timeoutMs: 60_000 })
    t.match((await call('GET', `/v1/social/assets/${id}`)).body, { state: 'ready', url: /\/m\// })
  })

  await t.test('a policy without media fetches none', async (t) => {
    const account = `/v1/social/accounts/${accountId}`
    const { headers } = await call('GET', account)
    const patched = await call(
      'PATCH', account, { mediaPolicy: { fetch: 'none' } }, { headers: { 'if-match': String(headers['etag']) } })
    t.equal(patched.status, 200)
    world.publish(world.actorId, [{ media: files[2]! }])
    await sync(accountId)
    const [last] = (await call('GET', `${account}/assets?state=skipped`)).body.data
    t.match(last, { state: 'skipped', reason: 'policy', fileId: null })
    t.match(await call('POST', `/v1/social/assets/${last.id}/fetch`, {}), {
      status: 403, body: { code: 'social.asset_policy' }
    })
  })
})

t.test('a worker killed mid page loses nothing and tells nothing twice', async (t) => {
  const rig = await startRig(t, { posts: 400, role: 'server' })
  const { app, platforms: { faults } } = rig
  const accountId = await rig.connect()
  faults.add({ match: { operation: 'accounts.statuses' }, effect: { kind: 'delay', ms: 60 }, times: null })
  const first = await startWorker(rig)
  t.teardown(() => { first.kill('SIGKILL') })
  const asked = await rig.call('POST', `/v1/social/accounts/${accountId}/sync`, {})
  t.equal(asked.status, 202)
  await until('the fourth page', () => rig.listRequests() >= 4)
  first.kill('SIGKILL')
  await once(first, 'exit')
  const between = await app.db.collection('social.posts').countDocuments()
  const read = rig.listRequests()
  t.ok(between < 400, 'it died in the middle')
  const second = await startWorker(rig)
  t.teardown(async () => {
    second.kill('SIGTERM')
    await once(second, 'exit')
  })
  await until('the end', async () =>
    (await rig.call('GET', String(asked.headers['location']))).body.state === 'succeeded')
  t.equal(await app.db.collection('social.posts').countDocuments(), 400)
  await judge(t, app, accountId)
  t.ok(read - between / 40 <= 3 + 3 + 1, `${read} pages were asked for, ${between} posts stored`)
  // Each start looks for newer posts before it goes on with older ones.
  const left = 10 - between / 40
  t.ok(rig.listRequests() - read <= left + 1, `${left} pages were left, ${rig.listRequests() - read} asked for`)
})

async function judge (t: Tap, app: TestApp, accountId: string): Promise<void> {
  const events = await app.db.collection('jobs.events').find({ type: 'social.posts.synced' }).toArray()
  const told = events.flatMap(({ data }) => data.items.map(({ postId }: { postId: string }) => postId))
  t.equal(events.length, 10, 'one event per page')
  t.equal(new Set(told).size, 400)
  t.equal(told.length, 400)
  const account = await app.db.collection('social.accounts').findOne({ _id: accountId as never })
  t.match(account, { sync: { pages: 10, items: 400, state: 'done' }, counts: { stored: 400 }, activeRunId: null })
}

type Tap = Pick<typeof t, 'equal' | 'match'>

async function startWorker ({ environment }: Rig): Promise<ChildProcess> {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', 'workers/worker.ts'], {
    env: { ...environment, LOG_LEVEL: 'info' }, stdio: ['ignore', 'pipe', 'inherit']
  })
  await once(child.stdout!, 'data')
  child.stdout!.resume()
  return child
}
