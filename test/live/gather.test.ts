import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { createDocuments } from '../../plugins/pubsub/listener/documents.ts'
import { createGather, type Publication } from '../../plugins/pubsub/listener/gather.ts'
import { createProgress } from '../../plugins/pubsub/listener/progress.ts'
import type { LiveDocument } from '../../src/kernel/index.ts'
import { until } from './own-redis.ts'

function gathering (afterRead: (reads: number) => void = () => {}) {
  const document = { _id: 'f1', version: 1, state: 'queued', bytes: 0 }
  const out: Array<{ version: number, state: unknown, bytes: unknown, isEdge: boolean }> = []
  const progress = createProgress(null)
  let reads = 0
  const gather = createGather({
    progress,
    read: async () => {
      const found = [{ ...document } as LiveDocument]
      afterRead(++reads)
      return found
    },
    async publish (_collection, steps) {
      for (const { document: shown, isEdge } of [...steps.values()].flat() as Publication[]) {
        out.push({ version: shown.version, state: shown['state'], bytes: shown['bytes'], isEdge })
      }
      return { settled: Promise.resolve() }
    },
    publishDeleted: async () => null,
    onError: (error) => { throw error }
  })
  const tell = (version: number, state?: string) => {
    const token = `t${version}`
    const edges = state === undefined ? undefined : { state }
    gather.add({ collection: 'c', id: 'f1', isDeleted: false, version, edges, token, seq: progress.next(token) })
  }
  return { document, out, tell, gather, progress, reads: () => reads }
}

t.test('a document read ahead of the stream waits for the edges that the stream has not told yet', async (t) => {
  const { document, out, tell, gather, progress } = gathering()
  // Written already: downloading (2), bytes (3), queued again (4), downloading again (5), bytes (6).
  Object.assign(document, { version: 6, state: 'downloading', bytes: 90 })
  tell(2, 'downloading')
  await until(() => out.length === 1)
  t.same(out, [{ version: 2, state: 'downloading', bytes: 90, isEdge: true }], 'not yet itself')
  t.equal(progress.mark().token, 't2', 'the edge is out; the rest comes by the stream')
  Object.assign(document, { version: 9, bytes: 200 })
  const rest: Array<[number, string?]> = [[3], [4, 'queued'], [5, 'downloading'], [6]]
  for (const [version, state] of rest) tell(version, state)
  await until(() => out.some(({ version }) => version === 6))
  await sleep(150)
  t.same(out.slice(1, 4).map(({ version, state, bytes }) => [version, state, bytes]),
    [[4, 'queued', 90], [5, 'downloading', 90], [6, 'downloading', 90]], 'in order, and bytes never fall')
  for (const version of [7, 8, 9]) tell(version)
  await until(() => out.at(-1)?.version === 9)
  t.equal(out.at(-1)?.bytes, 200)
  t.equal(gather.size(), 0)
  await until(() => progress.mark().token === 't9')
  await gather.stop()
})

t.test('changes of 100 ms are one read and one publication', async (t) => {
  const { document, out, tell, gather, reads } = gathering()
  for (let version = 2; version <= 20; version++) {
    Object.assign(document, { version, bytes: version })
    tell(version)
  }
  await until(() => out.length === 1)
  t.same(out, [{ version: 20, state: 'queued', bytes: 20, isEdge: false }])
  t.equal(reads(), 1)
  await gather.stop()
})

t.test('an edge that comes while a document is read is never laid over the older values', async (t) => {
  const { document, out, tell, gather } = gathering((reads) => {
    if (reads > 1) return
    Object.assign(document, { version: 3, state: 'done', bytes: 100 })
    tell(3, 'done')
  })
  Object.assign(document, { version: 2, state: 'storing', bytes: 40 })
  tell(2, 'storing')
  await until(() => out.some(({ version }) => version === 3))
  t.same(out.map(({ version, state, bytes }) => [version, state, bytes]), [[2, 'storing', 40], [3, 'done', 100]])
  t.equal(gather.size(), 0)
  await gather.stop()
})

t.test('a broker that is away is told by what waits for it, and ends no process', async (t) => {
  const binding = {
    collection: 'c',
    params: async (shown: readonly LiveDocument[]) => shown.map(() => ['x']),
    present: ({ _id }: LiveDocument) => [{ kind: 'k', key: _id, data: {} }]
  }
  const live = {
    async publishDocument (_topic: unknown, _params: unknown, _input: unknown, isEdge: boolean) {
      if (!isEdge) throw new Error('away')
      await sleep(50)
    }
  }
  const sources = { byCollection: new Map([['c', [{ topic: { param: 'id' }, binding }]]]) }
  const documents = createDocuments({} as never, live as never, sources as never)
  const steps = [1, 2].map((version) => ({ document: { _id: 'f1', version }, isEdge: version === 2 }))
  const { settled } = await documents.publish('c', new Map([['f1', steps]]))
  await sleep(20)
  await t.rejects(settled, { message: 'away' })
})
