import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { setUp, signedIn, until, type Client, type Node } from './harness.ts'

interface FileRow {
  _id: string
  version: number
  ownerId: string
  purpose: string
  state: string
  bytes: number
  updatedAt: Date
}

const channel = 'test.files:o1'
const filesOf = ({ app }: Node) => app.db.collection<FileRow>('test.files')
const row = (id: string, changes: Partial<FileRow> = {}): FileRow => ({
  _id: id, version: 1, ownerId: 'o1', purpose: 'shown', state: 'queued', bytes: 0, updatedAt: new Date(), ...changes
})
const states = (client: Client, key: string) => client.pubs(channel)
  .filter((frame) => frame['key'] === key).map(({ d }) => d.state as string)

async function listening (node: Node): Promise<void> {
  await until(async () => await node.app.leases.holder('system.listener') !== null)
  // The first mark stands once the stream is open.
  await filesOf(node).insertOne(row('warm', { ownerId: 'nobody' }))
  await until(async () => await node.app.db.collection('sys.marks').countDocuments() === 1)
}

t.test('a changed document reaches every socket that may see it, with its version', async (t) => {
  const setup = setUp(t)
  const [a, b] = [await setup.open(), await setup.open()]
  await listening(a)
  const client = await signedIn(t, b.url, { subs: { [channel]: {} } })
  await filesOf(a).insertMany([row('f1'), row('hidden', { purpose: 'secret' }), row('other', { ownerId: 'o2' })])
  const first = await client.next(({ key }) => key === 'f1')
  t.match(first, { t: 'pub', k: 'file', d: { state: 'queued', bytes: 0, version: 1 } })
  await filesOf(a).updateOne({ _id: 'f1' }, { $set: { bytes: 10 }, $inc: { version: 1 } })
  await client.next(({ d }) => d?.version === 2)
  await filesOf(a).deleteOne({ _id: 'f1' })
  await client.next(({ key, del }) => key === 'f1' && del === true)
  t.same([...new Set(client.pubs(channel).map(({ key }) => key))], ['f1'])
  t.same((await b.app.db.collection('sys.marks').findOne({}))?.['_id'], 'system.listener')
})

t.test('every edge is published in order however fast the next one follows, and values never fall', async (t) => {
  const setup = setUp(t)
  const node = await setup.open()
  await listening(node)
  const client = await signedIn(t, node.url, { subs: { [channel]: {} } })
  const files = filesOf(node)
  const ids = Array.from({ length: 20 }, (_, i) => `f${i}`)
  const way = ['probing', 'downloading', 'queued', 'downloading', 'verifying', 'storing', 'done']
  const since = performance.now()
  await files.insertMany(ids.map((id) => row(id)))
  await Promise.all(ids.map(async (id) => {
    let bytes = 0
    for (const state of way) {
      await files.updateOne({ _id: id }, { $set: { state }, $inc: { version: 1 } })
      for (let i = 0; i < 3; i++) {
        bytes += 7
        await files.updateOne({ _id: id }, { $set: { bytes }, $inc: { version: 1 } })
      }
    }
  }))
  await until(() => ids.every((id) => client.pubs(channel).some(({ key, d }) => key === id && d.version === 29)))
  const fifths = Math.ceil((performance.now() - since) / 200)
  for (const id of ids) {
    const pubs = client.pubs(channel).filter(({ key }) => key === id).map(({ d }) => d)
    const edges = states(client, id).filter((state, i, all) => state !== all[i - 1])
    t.same(edges, ['queued', ...way], id)
    const bytes = pubs.map((value) => value.bytes as number)
    t.same(bytes, [...bytes].sort((x, y) => x - y), `bytes of ${id} never fall`)
    t.equal(bytes.at(-1), 147)
  }
  const most = ids.length * (1 + way.length + 1 + fifths)
  t.ok(client.pubs(channel).length <= most, `edges, and five a second: ${client.pubs(channel).length} of ${most}`)
})

t.test('another process takes over and goes on from the mark', async (t) => {
  const setup = setUp(t)
  const first = await setup.open()
  await listening(first)
  await filesOf(first).insertOne(row('before'))
  const second = await setup.open()
  const client = await signedIn(t, second.url, { subs: { [channel]: {} } })
  await sleep(1200)
  await first.close()
  const files = filesOf(second)
  await files.insertOne(row('f1'))
  await files.updateOne({ _id: 'f1' }, { $set: { state: 'probing' }, $inc: { version: 1 } })
  await files.updateOne({ _id: 'f1' }, { $set: { state: 'done' }, $inc: { version: 1 } })
  await until(() => states(client, 'f1').includes('done'), 20_000)
  t.same(states(client, 'f1'), ['queued', 'probing', 'done'])
})

t.test('a mark that the store does not know any more leads to a walk over what is not final', async (t) => {
  const setup = setUp(t)
  const first = await setup.open({ hasSockets: false })
  await listening(first)
  await first.close()
  const second = await setup.open({ hasSockets: false })
  await second.close()
  const third = await setup.open()
  const files = filesOf(third)
  await until(async () => await third.app.leases.holder('system.listener') !== null)
  const client = await signedIn(t, third.url, { subs: { [channel]: {} } })
  await files.insertOne(row('f1'))
  await client.next(({ key }) => key === 'f1')
  await third.app.db.collection('test.dropped').insertOne({ a: 1 })
  await files.drop()
  await files.insertOne(row('f2'))
  await client.next(({ key }) => key === 'f2', 10_000)
  t.pass('goes on after its collection was dropped')
})
