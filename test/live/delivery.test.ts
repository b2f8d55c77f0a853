import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { commitItem, dial, setUp, signedIn, topics, until, type Client, type Frame } from './harness.ts'

const room = { roomId: 'r1' }
const events = 'test.events:r1'
const state = 'test.state:r1'
const log = 'test.log:r1'
const offsets = (frames: Frame[]) => frames.map(({ o }) => o as number)
const upTo = (n: number) => Array.from({ length: n }, (_, i) => i + 1)

/** Position of the last publication that this client has of the channel. */
function positionOf (client: Client, channel: string, e: string): { e: string, o: number, m: string } {
  const last = client.pubs(channel).at(-1)
  return { e, o: last?.['o'] ?? 0, m: last?.['mid'] ?? '' }
}

t.test('everybody sees the same publications in one order, whatever process published', async (t) => {
  const setup = setUp(t)
  const [a, b, worker] = [await setup.open(), await setup.open(), await setup.open({ hasSockets: false })]
  const subs = { [events]: {} }
  const clients = [await signedIn(t, a.url, { subs }), await signedIn(t, b.url, { subs })]
  const publishers = [a, b, worker].map(({ app }) => app.live)
  await Promise.all(Array.from({ length: 150 }, async (_, i) =>
    await publishers[i % 3]?.publish(topics.events, room, { kind: 'item', data: { i }, mid: `m${i}` })))
  await until(() => clients.every((client) => client.pubs(events).length === 150))
  const [first, second] = clients.map((client) => client.pubs(events).map((frame) => JSON.stringify(frame)))
  t.same(first, second, 'the same bytes')
  t.same(offsets(clients[0]?.pubs(events) ?? []), upTo(150))
})

t.test('a repeat with the same mid is one publication', async (t) => {
  const { app, url } = await setUp(t).open()
  const client = await signedIn(t, url, { subs: { [events]: {} } })
  const [one, two] = [
    await app.live.publish(topics.events, room, { kind: 'item', data: 1, mid: 'same' }),
    await app.live.publish(topics.events, room, { kind: 'item', data: 1, mid: 'same' })
  ]
  t.same({ ...one, isDuplicate: true }, two)
  await app.live.publish(topics.events, room, { kind: 'item', data: 2, mid: 'next' })
  await client.next(({ mid }) => mid === 'next')
  t.same(offsets(client.pubs(events)), [1, 2])
})

t.test('a position is continued on any process, and refused where continuity cannot be proved', async (t) => {
  const setup = setUp(t)
  const [a, b] = [await setup.open(), await setup.open()]
  const client = await signedIn(t, a.url, { subs: { [events]: {} } })
  const { e } = client.welcome['ok'].subs[events]
  const publish = async (i: number) =>
    await a.app.live.publish(topics.events, room, { kind: 'item', data: i, mid: `m${i}` })
  for (const i of upTo(5)) await publish(i)
  await client.next(({ o }) => o === 5)
  const position = positionOf(client, events, e)
  client.socket.terminate()
  for (const i of [6, 7, 8]) await publish(i)

  const back = await signedIn(t, b.url, { subs: { [events]: position } })
  t.match(back.welcome['ok'].subs[events], { was: true, rec: true, n: 3, o: 8 })
  const live = await back.next((frame) => frame['t'] === 'live' && frame['ch'] === events)
  t.same(offsets(back.pubs(events)), [6, 7, 8])
  t.ok(back.frames.indexOf(live) > back.frames.indexOf(back.pubs(events)[2] as Frame), 'replay comes before live')
  await publish(9)
  await back.next(({ mid }) => mid === 'm9')

  const claims: Array<[object, object]> = [
    [{ e, o: 9, m: 'm9' }, { rec: true, n: 0 }],
    [{ e, o: 3, m: 'other' }, { rec: false, n: 0 }],
    [{ e: 'gone', o: 3, m: 'm3' }, { rec: false, n: 0 }],
    [{ e, o: 99, m: 'm99' }, { rec: false, n: 0 }],
    [{ e, o: 0 }, { rec: true, n: 9 }]
  ]
  for (const [rec, answer] of claims) {
    t.match((await (await signedIn(t, b.url)).ask({ t: 'sub', ch: events, rec }))['ok'], { was: true, ...answer })
  }
  const rec = { e, o: 3, m: 'other', strict: true }
  const strict = await (await signedIn(t, b.url)).ask({ t: 'sub', ch: events, rec })
  t.match(strict['err'], { code: 112, key: 'live.unrecoverable' })
  const last = await (await signedIn(t, b.url)).ask({ t: 'sub', ch: events, last: 2 })
  t.match(last['ok'], { was: false, rec: true, n: 2 })
})

t.test('what is trimmed is not half replayed', async (t) => {
  const setup = setUp(t)
  const [a, b] = [await setup.open(), await setup.open()]
  const one = await a.app.live.publish(topics.short, room, { kind: 'item', data: 0, mid: 'm0' })
  for (const i of upTo(300)) await a.app.live.publish(topics.short, room, { kind: 'item', data: i, mid: `m${i}` })
  const { welcome } = await signedIn(t, b.url, { subs: { 'test.short:r1': { e: one.epoch, o: one.offset, m: 'm0' } } })
  t.match(welcome['ok'].subs['test.short:r1'], { was: true, rec: false, n: 0, o: 301 })
})

t.test('subscribing while others publish leaves no gap and no double', async (t) => {
  const setup = setUp(t)
  const [a, b] = [await setup.open(), await setup.open()]
  let isOver = false
  let published = 0
  const publisher = (async () => {
    while (!isOver) await a.app.live.publish(topics.events, room, { kind: 'item', data: null, mid: `m${++published}` })
  })()
  const starts: Array<{ client: Client, from: number }> = []
  for (let i = 0; i < 30; i++) {
    const client = await signedIn(t, [a, b][i % 2]?.url as string)
    const position = await b.app.live.position(topics.events, room)
    const rec = { e: position.epoch, o: position.offset, m: position.mid ?? '' }
    const { ok } = await client.ask({ t: 'sub', ch: events, rec })
    t.equal(ok.rec, true)
    starts.push({ client, from: position.offset })
  }
  isOver = true
  await publisher
  for (const { client, from } of starts) {
    await until(() => client.pubs(events).at(-1)?.['o'] === published)
    t.same(offsets(client.pubs(events)), upTo(published).slice(from))
  }
})

t.test('a state key never goes back, with two publishers of the same versions', async (t) => {
  const setup = setUp(t)
  const [a, b] = [await setup.open(), await setup.open()]
  const client = await signedIn(t, b.url, { subs: { [state]: {} } })
  const publish = async (node: typeof a, version: number) =>
    await node.app.live.publish(topics.state, room, { kind: 'value', key: 'k', version, data: { version } })
  await Promise.all([a, b].flatMap((node) => upTo(60).map(async (version) => await publish(node, version))))
  await client.next(({ d }) => d?.version === 60)
  const versions = client.pubs(state).map(({ d }) => d.version as number)
  t.same(versions, [...versions].sort((x, y) => x - y))
  t.equal(new Set(versions).size, versions.length, 'each once')
  t.match(await publish(a, 12), { isDuplicate: true })
})

t.test('a newcomer gets the whole state, a returning one what changed, deleted keys too', async (t) => {
  const setup = setUp(t)
  const [a, b] = [await setup.open(), await setup.open()]
  const put = async (key: string, version: number, isDeleted = false) =>
    await a.app.live.publish(topics.state, room, { kind: 'value', key, version, data: { version }, isDeleted })
  for (const key of ['x', 'y', 'z']) await put(key, 1)
  const client = await signedIn(t, a.url, { subs: { [state]: {} } })
  t.match(client.welcome['ok'].subs[state], { was: false, rec: true, full: true, n: 3, o: 3 })
  await client.next((frame) => frame['t'] === 'live' && frame['ch'] === state)
  t.same(client.pubs(state).map(({ key }) => key), ['x', 'y', 'z'])
  const position = positionOf(client, state, client.welcome['ok'].subs[state].e)
  await client.close()
  await put('y', 2)
  await put('x', 2, true)
  const back = await signedIn(t, b.url, { subs: { [state]: position } })
  t.match(back.welcome['ok'].subs[state], { was: true, rec: true, n: 2 })
  t.notOk(back.welcome['ok'].subs[state].full)
  await back.next((frame) => frame['t'] === 'live' && frame['ch'] === state)
  t.match(back.pubs(state), [{ key: 'y', d: { version: 2 } }, { key: 'x', del: true }])
  const foreign = await signedIn(t, b.url, { subs: { [state]: { ...position, m: 'other' } } })
  t.match(foreign.welcome['ok'].subs[state], { was: true, rec: false, full: true, n: 2 })
})

t.test('lossy values are thinned to their rate, edges are not and the last one comes', async (t) => {
  const { app, url } = await setUp(t).open()
  const client = await signedIn(t, url, { subs: { 'test.metrics:r1': {} } })
  const publish = async (n: number, state: string) =>
    await app.live.publish(topics.metrics, room, { kind: 'value', key: 'k', data: { n, state } })
  const sent = upTo(40).map(async (n) => await publish(n, n < 20 ? 'on' : n < 30 ? 'half' : 'off'))
  await Promise.all(sent)
  await client.next(({ d }) => d?.n === 40)
  const values = client.pubs('test.metrics:r1').map(({ d }) => d)
  t.ok(values.length <= 6, `${values.length} publications`)
  t.same([...new Set(values.map((value) => value.state as string))], ['on', 'half', 'off'])
  t.ok(values.some(({ n, state }) => n === 19 && state === 'on'), 'an edge flushes what was held')
})

t.test('numbers of a durable channel have no hole although publishers die before they publish', async (t) => {
  const setup = setUp(t)
  const [a, b] = [await setup.open(), await setup.open()]
  const client = await signedIn(t, a.url, { subs: { [log]: {} } })
  const publish = async (node: typeof a, { kind, data, mid, offset }: ReturnType<typeof commitItem>) =>
    await node.app.live.publish(topics.log, room, { kind, data, mid, offset })
  const items = upTo(40).map(() => commitItem(setup.world, 'r1'))
  const published = items.filter(({ offset }) => offset % 3 !== 1 || offset === 40)
  await Promise.all(published.map(async (item, i) => await publish(i % 2 === 0 ? a : b, item)))
  await client.next(({ o }) => o === 40)
  t.same(offsets(client.pubs(log)), upTo(40))
  t.same(client.pubs(log).map(({ mid }) => mid), upTo(40).map((n) => `r1-${n}`))
  t.match(await publish(b, items[4] as typeof items[0]), { isDuplicate: true, epoch: 'D1', offset: 5 })

  await a.app.redis.del(...await keysOf(a.app.redis, setup.prefix))
  const late = await signedIn(t, b.url, { subs: { [log]: { e: 'D1', o: 35 } } })
  t.match(late.welcome['ok'].subs[log], { was: true, rec: true, n: 5, o: 40 })
  const next = commitItem(setup.world, 'r1')
  await publish(a, next)
  await client.next(({ o }) => o === 41)
  await late.next(({ o }) => o === 41)
  t.same(offsets(client.pubs(log)), upTo(41), 'goes on over the loss')
})

async function keysOf (redis: { keys (pattern: string): Promise<string[]> }, prefix: string): Promise<string[]> {
  return await redis.keys(`${prefix}:live:*r1*`)
}

t.test('a position read before the data joins a list to its channel', async (t) => {
  const { app } = await setUp(t).open()
  t.match(await app.live.position(topics.events, room), { channel: events, offset: 0, mid: null })
  await app.live.publish(topics.events, room, { kind: 'item', data: 1, mid: 'm1' })
  const page = await app.live.withPosition(topics.events, room, async () => ({ data: [1] }))
  t.match(page, { data: [1], position: { channel: events, offset: 1, mid: 'm1' } })
})

t.test('a publication that Pub/Sub lost is fetched, at the latest by the comparison', async (t) => {
  const { app, url } = await setUp(t).open()
  const client = await signedIn(t, url, { subs: { [events]: {} } })
  const publish = async (i: number) =>
    await app.live.publish(topics.events, room, { kind: 'item', data: i, mid: `m${i}` })
  await publish(1)
  await client.next(({ mid }) => mid === 'm1')
  const wire = app.live.hub.wireKey(events)
  const deaf = async (work: () => Promise<unknown>) => {
    await app.redis.call('CLIENT', 'KILL', 'TYPE', 'pubsub')
    await work()
  }
  await deaf(async () => { await publish(2); await publish(3) })
  await client.next(({ mid }) => mid === 'm3', 8000)
  t.same(offsets(client.pubs(events)), [1, 2, 3], wire)
})

t.test('a slow socket gets the last value of each key and every event, a dead one is closed', async (t) => {
  const { app, url } = await setUp(t).open()
  const slow = await signedIn(t, url, { subs: { [state]: {}, [events]: {} } })
  const fast = await signedIn(t, url, { user: 'bob', session: 's2', subs: { [state]: {}, [events]: {} } })
  slow.socket.pause()
  const filler = 'x'.repeat(20_000)
  for (const i of upTo(400)) {
    await app.live.publish(topics.state, room, { kind: 'value', key: `k${i % 4}`, version: i, data: { i, filler } })
    if (i % 4 === 0) await app.live.publish(topics.events, room, { kind: 'item', data: { i, filler }, mid: `m${i}` })
  }
  await until(() => fast.pubs(events).length === 100)
  t.equal(fast.pubs(state).length, 400)
  slow.socket.resume()
  await until(() => slow.pubs(events).length === 100, 20_000)
  t.same(offsets(slow.pubs(events)), upTo(100))
  await until(() => new Set(slow.pubs(state).slice(-8).map(({ d }) => d.i as number)).has(400))
  const last = new Map(slow.pubs(state).map(({ key, d }) => [key, d.i as number]))
  t.same([...last.values()].sort((x, y) => x - y), [397, 398, 399, 400])
  t.ok(slow.pubs(state).length < 400, `${slow.pubs(state).length} of 400`)
  const numbers = offsets(slow.pubs(state))
  t.same(numbers, [...numbers].sort((x, y) => x - y))
})

t.test('gauges return to zero after churn', async (t) => {
  const { app, url } = await setUp(t).open()
  for (let i = 0; i < 20; i++) {
    const client = await dial(t, url)
    await client.ask({ t: 'connect', v: 1, token: `u${i}/s${i}`, subs: { [events]: {}, [state]: {} } })
    if (i % 2 === 0) await client.close()
    else client.socket.terminate()
  }
  await sleep(100)
  const text = await app.metrics.metrics()
  t.match(text, /switchyard_live_connections(\{[^}]*\})? 0\n/)
  t.notMatch(text, /switchyard_live_subscriptions\{[^}]*\} [1-9]/)
})
