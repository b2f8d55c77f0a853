import t from 'tap'
import { createLive, type LiveInfo, type Pub } from '../../web/client/live/index.ts'
import { commitItem, setUp, topics, until, type Node, type Setup } from './harness.ts'

const room = { roomId: 'r1' }
const events = 'test.events:r1'
const upTo = (n: number) => Array.from({ length: n }, (_, i) => i + 1)

interface Teardown { teardown (undo: () => unknown): unknown }

function client (t: Teardown, url: string, user = 'ann') {
  const infos: LiveInfo[] = []
  const errors: unknown[] = []
  const live = createLive({
    url, token: () => `${user}/s1`, onInfo: (info) => { infos.push(info) }, onError: (error) => { errors.push(error) }
  })
  t.teardown(() => { live.close() })
  return { live, infos, errors }
}

const publish = async ({ app }: Node, i: number) =>
  await app.live.publish(topics.events, room, { kind: 'item', data: i, mid: `m${i}` })

t.test('state and publications make the whole, without a gap and without a double, over cuts', async (t) => {
  const setup: Setup = setUp(t)
  const node = await setup.open()
  const table: number[] = []
  const { live } = client(t, node.url)
  let shown: number[] = []
  let known: number[] = []
  const again: number[] = []
  let states = 0
  live.subscribe(events, {
    getState: async () => await node.app.live.withPosition(topics.events, room, async () => ({ data: [...table] })),
    onState ({ data }: { data: number[] }) {
      states++
      shown = [...data]
      known = data
    },
    // The last rows that the state has may still be told: they were written after its position was read.
    onPub: ({ d }: Pub) => { (known.includes(d as number) ? again : shown).push(d as number) }
  })
  const work = (async () => {
    for (const i of upTo(120)) {
      // The row is there before its publication, as after a commit.
      table.push(i)
      await publish(node, i)
      if (i === 30 || i === 70) live.interrupt(20)
    }
  })()
  await work
  await until(() => shown.at(-1) === 120 && shown.length === 120)
  t.same(shown, upTo(120))
  t.same(again, known.slice(known.length - again.length), 'nothing before the position of the state is told')
  t.equal(states, 1, 'cuts are continued, not read anew')
})

t.test('where continuity cannot be proved the state is read again', async (t) => {
  const node = await setUp(t).open()
  const table: number[] = []
  const { live, infos } = client(t, node.url)
  let shown: number[] = []
  let states = 0
  live.subscribe(events, {
    getState: async () => await node.app.live.withPosition(topics.events, room, async () => ({ data: [...table] })),
    onState ({ data }: { data: number[] }) {
      states++
      shown = [...data]
    },
    onPub: ({ d }: Pub) => { shown.push(d as number) }
  })
  await until(() => states === 1)
  live.interrupt(400)
  for (const i of upTo(350)) {
    table.push(i)
    await publish(node, i)
  }
  await until(() => shown.at(-1) === 350 && live.info().status === 'live')
  t.same(shown, upTo(350))
  t.ok(infos.some(({ status, againAt }) => status === 'waiting' && againAt !== undefined))
})

t.test('a collection holds the last value of each key', async (t) => {
  const node = await setUp(t).open()
  const put = async (key: string, version: number, isDeleted = false) =>
    await node.app.live.publish(topics.state, room,
      { kind: 'value', key, version, data: { id: key, version }, isDeleted })
  for (const key of ['x', 'y', 'z']) await put(key, 1)
  const { live } = client(t, node.url)
  const changes: Array<readonly string[]> = []
  const values = live.collection<{ id: string, version: number }>('test.state:r1', {
    onChange: (_items, changed) => { changes.push(changed) }
  })
  await until(() => values.items.size === 3)
  await put('x', 2)
  await put('y', 2, true)
  await until(() => values.items.get('x')?.version === 2 && values.items.size === 2)
  live.interrupt(100)
  await put('z', 5)
  await until(() => values.items.get('z')?.version === 5)
  t.same([...values.items.keys()].sort(), ['x', 'z'])
})

t.test('an inbox comes by itself and a broken handler harms nobody else', async (t) => {
  const setup = setUp(t)
  const node = await setup.open()
  const { live, errors } = client(t, node.url)
  await until(() => live.info().status === 'live')
  const seen: number[] = []
  live.subscribe('test.inbox:ann', {
    onPub ({ o }) {
      seen.push(o)
      throw new Error('a bug of the page')
    }
  })
  for (const { offset, mid, kind, data } of [commitItem(setup.world, 'ann'), commitItem(setup.world, 'ann')]) {
    await node.app.live.publish(topics.inbox, { userId: 'ann' }, { offset, mid, kind, data })
  }
  await until(() => seen.length === 2)
  t.same(seen, [1, 2])
  t.equal(errors.length, 2)
})

t.test('it comes back to another server after a goodbye, and stays away when it is told to', async (t) => {
  const setup = setUp(t)
  const [a, b] = [await setup.open(), await setup.open()]
  let url = a.url
  const live = createLive({
    get url () { return url },
    token: () => 'ann/s1'
  })
  t.teardown(() => { live.close() })
  const seen: number[] = []
  live.subscribe(events, { onPub: ({ o }) => { seen.push(o) } })
  await until(() => live.info().status === 'live')
  await publish(b, 1)
  await until(() => seen.length === 1)
  url = b.url
  await a.close()
  await publish(b, 2)
  await until(() => seen.length === 2, 15_000)
  setup.world.ended.add('s1')
  b.app.bus.send('session-ended', { sessionId: 's1', userId: 'ann' })
  await until(() => live.info().status === 'stopped')
  t.equal(live.info().code, 4503)
  const ended: number[] = []
  const { live: other } = client(t, b.url, 'bob')
  t.teardown(() => { other.close() })
  other.subscribe('test.events:private', { onEnd: ({ code }) => { ended.push(code) } })
  setup.world.ended.delete('s1')
  await until(() => ended.length === 1 || other.info().status === 'stopped')
  t.ok(ended[0] === 102 || other.info().status === 'stopped')
})
