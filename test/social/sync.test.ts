import type { Document } from 'mongodb'
import t from 'tap'
import { drain } from '../helper.ts'
import { startRig, watching, type Rig } from './rig.ts'

const statuses = { operation: 'accounts.statuses' }

const syncedOf = async ({ app }: Rig): Promise<Document[]> =>
  await app.db.collection('jobs.events').find({ type: 'social.posts.synced' }).sort({ _id: 1 }).toArray()

async function allPosts ({ call }: Rig, accountId: string): Promise<Document[]> {
  const posts: Document[] = []
  let cursor = ''
  do {
    const { body } = await call('GET', `/v1/social/accounts/${accountId}/posts?limit=100${cursor}`)
    posts.push(...body.data)
    cursor = body.page.next === undefined ? '' : `&cursor=${body.page.next}`
  } while (cursor !== '')
  return posts
}

/** What we keep is what the platform shows. */
async function isMirror (rig: Rig, accountId: string): Promise<string[]> {
  const kept = new Map(
    (await allPosts(rig, accountId)).filter(({ state }) => state === 'live').map((post) => [post['remoteId'], post]))
  const shown = rig.platforms.world.accounts.get(rig.platforms.world.actorId)!.posts
  const wrong = shown.filter(({ id, text, favourites }) =>
    kept.get(id)?.['text'] !== text || kept.get(id)?.['metrics'].favourites !== favourites)
  return [...wrong.map(({ id }) => id), ...kept.size === shown.length ? [] : [`${kept.size} of ${shown.length}`]]
}

t.test('first, second and full sync', async (t) => {
  const rig = await startRig(t, { posts: 205 })
  const { app, call, platforms, sync, listRequests } = rig
  const accountId = await rig.connect()
  platforms.faults.add({
    match: { ...statuses, nth: 3 },
    effect: { kind: 'answer', status: 429, headers: { 'retry-after': '2' }, body: { error: 'Too many requests' } }
  })

  const operation = await sync(accountId)
  t.match(operation, {
    state: 'succeeded', type: 'social.sync-account', progress: { done: 205, total: 205, unit: 'posts' }
  })
  t.equal(listRequests(), 7, 'six pages and the one that was put off')
  const lists = platforms.ledger.requests.filter(({ operation }) => operation === 'accounts.statuses')
  const refused = lists.findIndex(({ status }) => status === 429)
  t.ok(lists[refused + 1]!.realAt - lists[refused]!.realAt >= 2000, 'the pause is kept')
  const run = await app.db.collection('jobs.runs').findOne({ _id: operation.id })
  t.equal(run?.['attempt'], 0, 'and spends no attempt')

  const account = (await call('GET', `/v1/social/accounts/${accountId}`)).body
  t.match(account, {
    sync: { runId: operation.id, pages: 6, items: 205, state: 'done' },
    counts: { stored: 205, posts: 205 },
    limits: [{ key: 'requests', limit: 300 }]
  })
  t.same(await isMirror(rig, accountId), [])
  const events = await syncedOf(rig)
  t.equal(events.length, 6, 'one event per page')
  const ids = events.flatMap(({ data }) => data.items)
  t.equal(new Set(ids.map(({ postId }: Document) => postId)).size, 205)
  t.ok(events.every(({ data }) => data.isBackfill === true && data.syncId === operation.id))

  await t.test('a sync without changes is one request and writes no post', async (t) => {
    const before = listRequests()
    const writes = await watching(app, 'social.posts', async () => { await sync(accountId) })
    t.equal(listRequests() - before, 1)
    t.same(writes, [])
    t.equal((await syncedOf(rig)).length, 6)
  })

  await t.test('a full re-read without changes reads all and writes no post', async (t) => {
    const before = listRequests()
    const writes = await watching(app, 'social.posts', async () => { await sync(accountId, { isFull: true }) })
    t.equal(listRequests() - before, 6)
    t.same(writes, [])
    t.equal((await syncedOf(rig)).length, 6)
    t.match((await call('GET', `/v1/social/accounts/${accountId}`)).body.sync, { pages: 6, items: 0, state: 'done' })
  })

  await t.test('news are read forward', async (t) => {
    const { actorId } = platforms.world
    platforms.world.publish(actorId, Array.from({ length: 45 }, () => ({})))
    await sync(accountId)
    const news = (await syncedOf(rig)).slice(6)
    t.equal(news.flatMap(({ data }) => data.items).length, 45)
    t.ok(news.every(({ data }) => data.isBackfill === false))
    t.same(await isMirror(rig, accountId), [])
  })

  await t.test('the next run of the rhythm waits, once', async (t) => {
    const waiting = await app.db.collection('jobs.runs').find(
      { name: 'social.sync-account', state: 'pending' }).toArray()
    t.equal(waiting.length, 1)
    t.match(waiting[0], { data: { accountId, reason: 'rhythm' } })
    const { nextSyncAt } = (await call('GET', `/v1/social/accounts/${accountId}`)).body
    t.equal(waiting[0]?.['runAt'].toISOString(), nextSyncAt)
    const again = await sync(accountId)
    t.equal(again.state, 'succeeded', 'and holds nobody up')
  })

  await t.test('pages of posts go on where they ended, and only in their own list', async (t) => {
    const { body } = await call('GET', `/v1/social/accounts/${accountId}/posts?limit=10`)
    t.match(body.position, { channel: `social.feed:${accountId}` })
    const path = `/v1/social/accounts/${accountId}/posts?limit=10&tag=x&cursor=${body.page.next}`
    t.match(await call('GET', path), { status: 400, body: { code: 'http.cursor_invalid' } })
    const posts = await allPosts(rig, accountId)
    const order = posts.map(({ publishedAt }) => publishedAt)
    t.same(order, order.toSorted().toReversed())
    t.match((await call('GET', `/v1/social/posts/${posts[0]!['id']}`)).body, { id: posts[0]!['id'] })
  })

  await t.test('reports add up', async (t) => {
    const report = async (name: string, query: string) =>
      await call('GET', `/v1/social/reports/${name}?accountId=${accountId}&${query}`)
    const posts = (await allPosts(rig, accountId)).filter(({ publishedAt }) => publishedAt < '2018')
    const days = await report('engagement-by-day', 'from=2017-01-01&to=2018-01-01&zone=UTC')
    const inRange = posts.filter(({ publishedAt }) => publishedAt >= '2017')
    const sum = (rows: Document[], of: (row: Document) => number) => rows.reduce((total, row) => total + of(row), 0)
    t.equal(sum(days.body.rows, ({ posts }) => posts), inRange.length)
    t.equal(sum(days.body.rows, ({ favourites }) => favourites), sum(inRange, ({ metrics }) => metrics.favourites))
    const tags = await report('hashtag-performance', 'from=2016-12-01&to=2018-01-01&zone=UTC')
    const tagged = posts.filter(({ publishedAt }) => publishedAt >= '2016-12').flatMap(({ tags }) => tags)
    t.equal(sum(tags.body.rows, ({ posts }) => posts), tagged.length)
    t.match(await report('engagement-by-day', 'from=2016-01-01&to=2017-03-01'),
      { status: 422, body: { code: 'social.range_too_wide' } })
    t.match(await report('engagement-by-day', 'from=2016-01-01&to=2017-02-04'), { status: 200 })
    t.match(await report('nothing', 'from=2016-01-01&to=2016-03-01'),
      { status: 422, body: { code: 'social.report_unknown' } })
    t.match(await report('engagement-by-day', 'from=soon&to=2016-03-01'), { status: 400 })
    const plan = await app.db.collection('social.posts').find(
      {
        workspaceId: rig.me.workspaceId,
        accountId: { $in: [accountId] },
        publishedAt: { $gte: new Date('2017-01-01'), $lt: new Date('2018-01-01') }
      })
      .hint('published').explain('executionStats')
    t.ok(plan['executionStats'].totalDocsExamined <= 1.2 * plan['executionStats'].nReturned)
  })

  await t.test('no secret lies in a store', async (t) => {
    await drain(app)
    const { world } = platforms
    const clientSecrets = [...world.apps.values()].map(({ clientSecret }) => clientSecret)
    const words = [...world.tokens.keys(), ...world.codes.keys(), ...clientSecrets]
    const forms = words.flatMap((word) => [
      word, Buffer.from(word).toString('base64').replace(/=+$/, ''), Buffer.from(word).toString('hex')
    ])
    const texts: string[] = []
    for (const { name } of await app.db.listCollections().toArray()) {
      for (const row of await app.db.collection(name).find().toArray()) {
        texts.push(JSON.stringify(row, (_key, value: unknown) =>
          typeof value === 'object' && value !== null && 'buffer' in value
            ? Buffer.from(value.buffer as Buffer).toString('latin1')
            : value))
      }
    }
    for await (
      const keys of app.redis.scanStream({ match: `*${app.redisKey('').slice(0, -1)}*` }) as AsyncIterable<string[]>
    ) {
      for (const key of keys) texts.push(key, String(await app.redis.dump(key)))
    }
    const all = texts.join('\n')
    t.ok(all.includes('actor') && texts.length > 100, 'the search sees what is there')
    t.same(forms.filter((form) => all.includes(form)), [])
  })
})

t.test('the mirror follows what moves', async (t) => {
  const rig = await startRig(t, { posts: 120 })
  const { app, platforms: { world, faults }, sync } = rig
  const accountId = await rig.connect()
  // Between the pages: one is removed, one edited, some are new.
  const { posts } = world.accounts.get(world.actorId)!
  const [removed, edited, liked] = [posts[60]!.id, posts[20]!.id, posts[10]!.id]
  faults.add({ match: { ...statuses, nth: 2 }, effect: { kind: 'delay', ms: 300 } })
  const running = sync(accountId)
  while (rig.listRequests() < 2) await new Promise((resolve) => setTimeout(resolve, 5))
  world.remove(world.actorId, removed)
  world.edit(world.actorId, edited, { text: 'edited #Now' })
  world.publish(world.actorId, [{ text: 'new while reading' }])
  t.equal((await running).state, 'succeeded')
  await sync(accountId)
  t.same(await isMirror(rig, accountId), [])

  world.edit(world.actorId, edited, { text: 'edited again' })
  world.edit(world.actorId, liked, { favourites: 1_000_000 })
  world.remove(world.actorId, posts[5]!.id)
  const gone = posts[4]!.id
  world.remove(world.actorId, gone)
  const before = (await syncedOf(rig)).length
  await sync(accountId, { isFull: true })
  const items = (await syncedOf(rig)).slice(before).flatMap(({ data }) => data.items)
  t.same(items.map(({ change }: Document) => change), ['changed', 'changed'], 'each change is told once')
  const row = async () => await app.db.collection('social.posts').findOne({ remoteId: gone })
  t.match(await row(), { goneAt: null, missingAt: Date }, 'absent once is not gone')
  await sync(accountId, { isFull: true })
  t.match(await row(), { goneAt: null }, 'nor absent twice within ten minutes')
  await app.db.collection('social.posts').updateMany(
    { missingAt: { $type: 'date' } }, { $set: { missingAt: new Date(Date.now() - 601_000) } })
  await sync(accountId, { isFull: true })
  t.match(await row(), { goneAt: Date })
  const last = (await syncedOf(rig)).at(-1)
  t.same(last?.['data'].items.map(({ change }: Document) => change), ['gone', 'gone'])
  t.same(await isMirror(rig, accountId), [])
})

t.test('an answer that cannot be read moves no cursor and is asked for again', async (t) => {
  const rig = await startRig(t, { posts: 90 })
  const { app, platforms: { faults }, sync } = rig
  const accountId = await rig.connect()
  faults.add({ match: { ...statuses, nth: 1 }, effect: { kind: 'truncated-json' } })
  faults.add({ match: { ...statuses, nth: 2 }, effect: { kind: 'html' } })
  faults.add({ match: { ...statuses, nth: 3 }, effect: { kind: 'answer', status: 500, body: { error: 'no' } } })
  faults.add({ match: { ...statuses, nth: 4 }, effect: { kind: 'answer', status: 200, body: { not: 'a list' } } })
  faults.add({ match: { ...statuses, nth: 5 }, effect: { kind: 'drop-before' } })
  t.equal((await sync(accountId)).state, 'succeeded')
  t.same(await isMirror(rig, accountId), [])
  t.equal((await syncedOf(rig)).length, 3, 'every page is told once')
  t.match(
    (await rig.call('GET', `/v1/social/accounts/${accountId}`)).body, { health: { state: 'active', evidence: [] } })
  t.equal(await app.db.collection('social.posts').countDocuments(), 90)
})

t.test('a bad item is put aside and the page goes on', async (t) => {
  const rig = await startRig(t, { posts: 5 })
  const { app, platforms: { faults, world }, sync } = rig
  const accountId = await rig.connect()
  const good = { id: '950000000000000001', created_at: '2018-01-01T00:00:00Z', content: '<p>good</p>', url: null }
  faults.add({
    match: statuses,
    effect: {
      kind: 'answer', status: 200, headers: { link: '' }, body: [{ ...good, id: Number('950000000000000002') }, good]
    }
  })
  t.equal((await sync(accountId)).state, 'succeeded')
  t.match(await app.db.collection('social.posts').find().toArray(), [{ remoteId: good.id, text: 'good' }])
  t.match(await app.db.collection('social.cursors').findOne({}), { quarantined: [{ pointers: ['/id'] }] })
  t.equal(world.accounts.size, 1)
})

t.test('a token that is refused', async (t) => {
  const rig = await startRig(t, { posts: 50 })
  const { app, call, platforms, sync } = rig
  const accountId = await rig.connect()
  const token = [...platforms.world.tokens.values()][0]!
  const path = `/v1/social/accounts/${accountId}`

  await t.test('once, then fine, changes nothing', async (t) => {
    token.refusals = 1
    t.equal((await sync(accountId)).state, 'succeeded')
    t.match((await call('GET', path)).body, { health: { state: 'active', evidence: [] }, sync: { items: 50 } })
  })

  await t.test('twice, asks for a new sign-in with its evidence', async (t) => {
    platforms.world.revoke(token)
    await sync(accountId)
    t.match((await call('GET', `${path}/health`)).body, {
      state: 'needs_reauth',
      fix: { key: 'reconnect' },
      evidence: [{ source: 'call', step: 'profile', httpStatus: 401 }]
    })
    t.match(await call('POST', `${path}/sync`, {}), { status: 409, body: { code: 'social.account_needs_reauth' } })
    t.equal(await app.db.collection('jobs.events').countDocuments({ type: 'social.account.health-changed' }), 1)
  })

  await t.test('and works again once it is signed in', async (t) => {
    const { accessToken } = platforms.world.issueToken({
      clientId: null, accountId: platforms.world.actorId, scopes: ['read']
    })
    t.equal((await call('POST', `${path}/reconnect`, { method: 'token', token: accessToken })).status, 201)
    t.equal((await sync(accountId)).state, 'succeeded')
    t.match((await call('GET', path)).body, { health: { state: 'active' }, counts: { stored: 50 } })
    const other = platforms.world.addAccount({ id: '7', username: 'somebody' })
    const foreign = platforms.world.issueToken({ clientId: null, accountId: other.id, scopes: ['read'] })
    t.match(await call('POST', `${path}/reconnect`, { method: 'token', token: foreign.accessToken }),
      { status: 409, body: { code: 'social.account_duplicate', platform: { handles: ['actor', 'somebody'] } } })
  })
})

t.test('one sync of an account at a time', async (t) => {
  const rig = await startRig(t, { posts: 60 })
  const { call, platforms } = rig
  const accountId = await rig.connect()
  platforms.faults.add({ match: statuses, effect: { kind: 'delay', ms: 400 } })
  const answers = await Promise.all(Array.from({ length: 6 }, async () =>
    await call('POST', `/v1/social/accounts/${accountId}/sync`, {})))
  t.equal(answers.filter(({ status }) => status === 202).length, 1)
  t.equal(answers.filter(({ body }) => body.code === 'social.sync_running').length, 5)
  await drain(rig.app)
  t.equal((await syncedOf(rig)).length, 2)
})
