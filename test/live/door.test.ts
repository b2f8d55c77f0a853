import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { Compile } from 'typebox/compile'
import { replies, serverFrames } from '../../src/kernel/index.ts'
import { dial, setUp, signedIn, topics, until, type Frame } from './harness.ts'

function conforms (frame: Frame): boolean {
  const schema = serverFrames[frame['t'] as keyof typeof serverFrames]
  return schema !== undefined && Compile(schema).Check(frame)
}

t.test('the door refuses before the upgrade what is not its protocol or comes from a foreign page', async (t) => {
  const { url, app } = await setUp(t).open()
  t.equal((await (await dial(t, url, { protocol: 'other.v1' })).closed).code, 1006)
  t.equal((await (await dial(t, url, { origin: 'https://evil.example' })).closed).code, 1006)
  t.equal((await app.inject({ url: '/live' })).statusCode, 404)
  const friend = await dial(t, url, { origin: 'https://friend.example' })
  t.equal(friend.socket.readyState, friend.socket.OPEN)
  const own = await dial(t, url, { origin: `http://${new URL(url).host}` })
  t.equal(own.socket.readyState, own.socket.OPEN)
})

t.test('who does not prove himself is told a code and closed', async (t) => {
  const { url } = await setUp(t).open({ sockets: { times: { connectMs: 1500 } } })
  const silent = await dial(t, url)
  t.equal((await silent.closed).code, 4502)
  const wrong = await dial(t, url)
  t.equal((await wrong.ask({ t: 'connect', v: 1, token: 'nobody' }))['err'].code, 101)
  t.equal((await wrong.closed).code, 4500)
  const old = await dial(t, url)
  const refused = await old.ask({ t: 'connect', v: 1, token: 'expired/s' })
  t.match(refused['err'], { key: 'test.token_expired', code: 109 })
  t.equal((await old.closed).code, 4005)
  const eager = await dial(t, url)
  t.equal((await eager.ask({ t: 'sub', ch: 'test.events:r1' }))['err'].code, 101)
  const future = await dial(t, url)
  future.send({ id: 1, t: 'connect', v: 2, token: 'ann/s1' })
  t.equal((await future.closed).code, 4506)
  const binary = await dial(t, url)
  binary.socket.send(Buffer.from([1, 2]), { binary: true })
  t.equal((await binary.closed).code, 1003)
  const large = await dial(t, url)
  large.send('x'.repeat(70_000))
  t.equal((await large.closed).code, 1009)
})

t.test('connect answers who one is, the limits and the subscriptions that the server adds', async (t) => {
  const { url } = await setUp(t).open()
  const wanted = { 'test.events:r1': {}, 'test.state:r1': {}, 'test.events:private': {}, 'no.topic:x': {} }
  const { welcome, frames } = await signedIn(t, url, { subs: wanted })
  t.match(welcome['ok'], { user: 'ann', workspace: 'w1', ttl: 600, ping: 25_000, pong: 10_000 })
  t.match(welcome['ok'].limits, { frame: 65_536, cmds: 64, subs: 128 })
  const { subs } = welcome['ok']
  t.match(subs['test.inbox:ann'], { srv: true, e: 'D1', o: 0, was: false, rec: true, n: 0 })
  t.match(subs['test.events:r1'], { o: 0, was: false, rec: true, n: 0 })
  t.match(subs['test.state:r1'], { full: true, n: 0 })
  t.match(subs['test.events:private'].err, { code: 102, key: 'test.not_yours' })
  t.match(subs['no.topic:x'].err, { code: 102, key: 'live.unknown_channel' })
  t.ok(Compile(replies.connect).Check(welcome['ok']))
  await until(() => frames.filter(({ t }) => t === 'live').length === 3)
  t.ok(frames.slice(1).every(conforms))
})

t.test('commands run in order and nonsense gets its code', async (t) => {
  const { url } = await setUp(t).open()
  const client = await signedIn(t, url)
  client.send([
    { id: 11, t: 'sub', ch: 'test.events:r1' },
    { id: 12, t: 'sub', ch: 'test.events:r1' },
    { id: 13, t: 'unsub', ch: 'test.events:r1' },
    { id: 14, t: 'unsub', ch: 'test.events:r1' },
    { id: 15, t: 'pub', ch: 'test.events:r1', k: 'item', mid: 'm', d: {} },
    { id: 16, t: 'dance' }, { id: 13, t: 'sub', ch: 'test.events:r2' }, { id: 17, t: 'sub', ch: 'Bad Channel' },
    { id: 18, t: 'sub', ch: 'test.events:private1' }
  ].map((line) => JSON.stringify(line)).join('\n'))
  await client.next(({ id }) => id === 18)
  const answers = client.frames.filter(({ id }) => id > 10)
    .map(({ id, ok, err }) => [id, ok === undefined ? err.code : 'ok'])
  t.same(answers, [[11, 'ok'], [12, 105], [13, 'ok'], [14, 102], [15, 108], [16, 104], [13, 107], [17, 107], [18, 102]])
  const noisy = await signedIn(t, url)
  for (let i = 0; i < 12; i++) noisy.send(i % 2 === 0 ? '{"t":' : '[1]')
  t.equal((await noisy.closed).code, 4509)
  const deep = await signedIn(t, url)
  deep.send(`{"id":5,"t":"sub","ch":${'['.repeat(40)}${']'.repeat(40)}}`)
  t.equal((await deep.next(({ err }) => err !== undefined))['err'].code, 107)
})

t.test('a flood is answered 111, then closed', async (t) => {
  const { url } = await setUp(t).open({ sockets: { commandsPerSec: 5 } })
  const client = await signedIn(t, url)
  for (let i = 0; i < 45; i++) client.send({ id: 100 + i, t: 'unsub', ch: 'test.events:r1' })
  const { code } = await client.closed
  t.ok([4014, 4510].includes(code), `${code}`)
  const flood = await signedIn(t, url)
  flood.send(Array.from({ length: 65 }, () => '{"id":1,"t":"unsub","ch":"test.events:r1"}').join('\n'))
  t.equal((await flood.closed).code, 4510)
})

t.test('a peer that does not answer a ping is found, one that does stays', async (t) => {
  const { url } = await setUp(t).open({ sockets: { times: { pingMs: 300, pongMs: 400 } } })
  const mute = await dial(t, url, { isMute: true })
  await mute.ask({ t: 'connect', v: 1, token: 'ann/s1' })
  const fine = await signedIn(t, url)
  t.equal((await mute.closed).code, 4012)
  await sleep(500)
  t.equal(fine.socket.readyState, fine.socket.OPEN)
})

t.test('a proof that ends is announced, refreshed, or ends the socket', async (t) => {
  const setup = setUp(t)
  setup.world.ttlS = 1
  const { url } = await setup.open()
  const client = await signedIn(t, url)
  t.ok((await client.next((frame) => frame['t'] === 'expiring'))['in'] <= 1)
  setup.world.ttlS = 600
  t.equal((await client.ask({ t: 'refresh', token: 'ann/s1' }))['ok'].ttl, 600)
  client.send({ id: 99, t: 'refresh', token: 'bob/s2' })
  t.equal((await client.closed).code, 4501)
})

t.test('an ended session and a raised permission version reach open sockets of every process', async (t) => {
  const setup = setUp(t)
  const [a, b] = [await setup.open(), await setup.open()]
  const both = { 'test.events:r1': {}, 'test.events:r2': {} }
  const ann = await signedIn(t, b.url, { user: 'ann', session: 's1', subs: both })
  const bob = await signedIn(t, b.url, { user: 'bob', session: 's2', subs: { 'test.events:r1': {} } })
  setup.world.banned.add('ann r1')
  a.app.bus.send('pv-raised', { userId: 'ann' })
  const { code, ch } = await ann.next((frame) => frame['t'] === 'unsub')
  t.match([code, ch], [2003, 'test.events:r1'])
  await a.app.live.publish(topics.events, { roomId: 'r1' }, { kind: 'item', data: 1, mid: 'm1' })
  await a.app.live.publish(topics.events, { roomId: 'r2' }, { kind: 'item', data: 2, mid: 'm2' })
  await ann.next((frame) => frame['ch'] === 'test.events:r2' && frame['t'] === 'pub')
  t.same(ann.pubs('test.events:r1'), [])
  setup.world.ended.add('s1')
  a.app.bus.send('session-ended', { sessionId: 's1', userId: 'ann' })
  t.equal((await ann.closed).code, 4503)
  await bob.next((frame) => frame['mid'] === 'm1')
})

t.test('the newer socket of a session takes the place of the older, on another process too', async (t) => {
  const setup = setUp(t)
  const [a, b] = [await setup.open(), await setup.open()]
  const older = await dial(t, a.url)
  await older.ask({ t: 'connect', v: 1, token: 'ann/s1', session: 'tab' })
  const newer = await dial(t, b.url)
  await newer.ask({ t: 'connect', v: 1, token: 'ann/s1', session: 'tab' })
  t.equal((await older.closed).code, 4013)
  t.equal(newer.socket.readyState, newer.socket.OPEN)
})

t.test('a stopping server says goodbye with a time to come back', async (t) => {
  const node = await setUp(t).open()
  const client = await signedIn(t, node.url)
  await node.close()
  t.equal((await client.closed).code, 4001)
  t.match(client.frames.at(-1), { t: 'bye', code: 4001, resume: true })
})

t.test('a declared topic that nobody binds or that nobody may join fails the boot of a server', async (t) => {
  const setup = setUp(t)
  const { app } = await setup.open()
  app.declare({ domain: 'other', topics: [{ ...topics.events, name: 'test.orphan' }] })
  t.throws(() => { app.hub.checkTopics() }, /test\.orphan is declared but nobody binds it.*does not say who may join/)
})
