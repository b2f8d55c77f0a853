import t from 'tap'
import { setTimeout as sleep } from 'node:timers/promises'
import { commitItem, ownRedis, setUp, signedIn, topics, until, type Client, type Frame } from './harness.ts'

const room = { roomId: 'r1' }
const [events, state, log] = ['test.events:r1', 'test.state:r1', 'test.log:r1'] as const
const upTo = (n: number) => Array.from({ length: n }, (_, i) => i + 1)
const offsets = (frames: Frame[]) => frames.map(({ o }) => o as number)

async function patiently<T> (work: () => Promise<T>): Promise<T> {
  for (let i = 0; ; i++) {
    try {
      return await work()
    } catch (error) {
      if (i === 50) throw error
      t.equal((error as { code?: string }).code, 'live.broker_unavailable')
      await sleep(200)
    }
  }
}

const lost = async (client: Client, ch: string) =>
  await client.next((frame) => frame['t'] === 'unsub' && frame['ch'] === ch, 20_000)

t.test('Redis emptied: events and state are told, a durable channel just goes on', async (t) => {
  const redis = await ownRedis(t)
  const setup = setUp(t, { redisUrl: redis.url })
  const [a, b] = [await setup.open(), await setup.open()]
  const client = await signedIn(t, b.url, { subs: { [events]: {}, [state]: {}, [log]: {} } })
  const item = async () => {
    const { offset, mid, kind, data } = commitItem(setup.world, 'r1')
    await a.app.live.publish(topics.log, room, { offset, mid, kind, data })
  }
  for (const i of upTo(5)) {
    await a.app.live.publish(topics.events, room, { kind: 'item', data: i, mid: `m${i}` })
    await a.app.live.publish(topics.state, room, { kind: 'value', key: 'k', version: i, data: i })
    await item()
  }
  await until(() => client.pubs(log).length === 5)
  await redis.client.flushall()
  await a.app.live.publish(topics.events, room, { kind: 'item', data: 6, mid: 'm6' })
  await a.app.live.publish(topics.state, room, { kind: 'value', key: 'k', version: 6, data: 6 })
  await item()
  t.match(await lost(client, events), { code: 2500 })
  t.match(await lost(client, state), { code: 2500 })
  await client.next((frame) => frame['ch'] === log && frame['o'] === 6)
  t.same(offsets(client.pubs(log)), upTo(6))
  t.notOk(client.frames.some((frame) => frame['t'] === 'unsub' && frame['ch'] === log))

  const rec = { e: client.welcome['ok'].subs[events].e, o: 5, m: 'm5' }
  const { ok } = await client.ask({ t: 'sub', ch: events, rec })
  t.match(ok, { was: true, rec: false, n: 0, o: 1 })
  const again = await client.ask({ t: 'sub', ch: state, rec: { e: client.welcome['ok'].subs[state].e, o: 5, m: 'x' } })
  t.match(again['ok'], { was: true, rec: false, full: true, n: 1 })
})

t.test('Redis killed and back with its data: nobody is disconnected and nothing is missing', async (t) => {
  const redis = await ownRedis(t)
  const setup = setUp(t, { redisUrl: redis.url })
  const [a, b] = [await setup.open(), await setup.open()]
  const client = await signedIn(t, b.url, { subs: { [events]: {} } })
  const publish = async (i: number) =>
    await patiently(async () => await a.app.live.publish(topics.events, room, { kind: 'item', data: i, mid: `m${i}` }))
  for (const i of upTo(5)) await publish(i)
  await client.next(({ mid }) => mid === 'm5')
  await redis.kill()
  const during = publish(6)
  const refused = await client.ask({ t: 'sub', ch: 'test.events:r2' })
  t.match(refused['err'], { code: 115, temp: true })
  await redis.start()
  await during
  for (const i of [7, 8, 9]) await publish(i)
  await client.next(({ mid }) => mid === 'm9', 15_000)
  t.same(offsets(client.pubs(events)), upTo(9))
  t.equal(client.socket.readyState, client.socket.OPEN)
  t.match((await client.ask({ t: 'sub', ch: 'test.events:r2' }))['ok'], { rec: true })
})

t.test('Redis lost its last writes: no subscription goes on as if nothing had been', async (t) => {
  const redis = await ownRedis(t)
  const setup = setUp(t, { redisUrl: redis.url })
  const node = await setup.open()
  const client = await signedIn(t, node.url, { subs: { [events]: {} } })
  const { e } = client.welcome['ok'].subs[events]
  const publish = async (i: number, mid = `m${i}`) =>
    await node.app.live.publish(topics.events, room, { kind: 'item', data: i, mid })
  for (const i of upTo(5)) await publish(i)
  await client.next(({ mid }) => mid === 'm5')
  // What a fail-over to a lagging replica leaves: two publications never were.
  const key = async (kind: string) => (await redis.client.keys(`${setup.prefix}:live:${kind}:*${events}`))[0] as string
  await redis.client.multi().xdel(await key('h'), '4-0', '5-0').hset(await key('m'), 's', 3, 'lm', 'm3').exec()
  await redis.client.xtrim(await key('h'), 'MAXLEN', 3)
  await redis.client.call('XSETID', await key('h'), '3-0')
  await publish(4, 'other4')
  t.match(await lost(client, events), { code: 2500 })
  const { ok } = await client.ask({ t: 'sub', ch: events, rec: { e, o: 5, m: 'm5' } })
  t.match(ok, { was: true, rec: false })
  t.not(ok.e, e, 'a new epoch')
  await publish(6)
  await client.next(({ mid }) => mid === 'm6')
})
