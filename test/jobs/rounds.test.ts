// The loops of a keeper beside each other, and how claims gather.
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { createBatcher } from '../../plugins/queue/batcher.ts'
import { createRounds, type RoundsParts } from '../../plugins/queue/rounds.ts'
import { loneKeeper, quiet } from './lone-keeper.ts'
import { until } from './rig.ts'

const nothing = async (): Promise<void> => undefined

function lease () {
  const end = new AbortController()
  return { end, turn: { fence: 1, signal: end.signal } }
}

t.test('the relay goes on while a round takes long, and waits where one failed', async (t) => {
  let passes = 0
  const { keeper, tell, leading, end } = loneKeeper({
    relay: { pass: async () => { passes++; return { published: 0, hasMore: false } } }
  })
  await until('the first pass', () => passes > 0)
  const before = passes
  keeper.wake({ queues: ['fast'] })
  await until('a pass beside the round', () => passes > before)
  tell(false)
  await sleep(50)
  const stopped = passes
  keeper.wake({ queues: ['fast'] })
  await sleep(700)
  t.equal(passes, stopped, 'neither a wake nor the next poll releases anything')
  tell(true)
  await until('a pass after a round that went well', () => passes > stopped)
  end()
  await leading
  t.equal(keeper.isLeading(), false)
})

t.test('a poll waits for a round that is under way, though not for long', async (t) => {
  const polledMs: number[] = []
  const { leading, end } = loneKeeper({
    isUnderWay: true,
    relay: {
      async pass (queues: unknown) {
        if (queues === 'all') polledMs.push(performance.now())
        return { published: 0, hasMore: false }
      }
    }
  })
  await until('three polls', () => polledMs.length >= 3)
  end()
  await leading
  const [first = 0, second = 0, third = 0] = polledMs
  // A timer may be a millisecond early.
  t.ok(Math.min(second - first, third - second) > 990, 'the end of the round would have been a poll')
})

t.test('a round that fails is told, and the next one looks at everything', async (t) => {
  let isAway = true
  let added = 0
  const parts = {
    recovery: {
      checkEpoch: async () => { if (isAway) throw new Error('Redis is away') },
      addAgain: async () => { added++ }, returnLost: nothing, endLate: nothing
    },
    view: { refresh: async () => ({ gone: [], isChanged: false }) },
    holds: { freeStale: nothing }, isChief: false, log: quiet
  }
  const rounds = createRounds(parts as unknown as RoundsParts)
  const { end, turn } = lease()
  const first = rounds.first(turn)
  await sleep(50)
  t.equal(added, 0)
  isAway = false
  await first
  t.equal(added, 1, 'the first round is over when one went well')

  const told: boolean[] = []
  isAway = true
  const going = rounds.go(turn, (isWell) => { told.push(isWell) })
  await until('a failure', () => told.includes(false))
  isAway = false
  await until('a round that went well', () => told.at(-1) === true)
  t.equal(added, 2, 'what was published last is added once more')
  end.abort()
  await going
})

t.test('a few leave side by side, more wait for each other', async (t) => {
  const batches: Array<{ items: readonly number[], end: () => void }> = []
  const open = { most: 5, few: 3 }
  const add = createBatcher<number, number>(open, async (items) => {
    await new Promise<void>((resolve) => { batches.push({ items, end: resolve }) })
    return items.map((item) => item * 10)
  })
  const one = add(1)
  await until('one leaves at once', () => batches.length === 1)
  const two = [add(2), add(3)]
  await until('so do two', () => batches.length === 2)
  t.same(batches[1]?.items, [2, 3], 'those of one moment together')
  const rest = [4, 5, 6, 7, 8, 9].map(async (n) => await add(n))
  await sleep(20)
  t.equal(batches.length, 2, 'three are on their way')
  batches[0]?.end()
  t.equal(await one, 10)
  await until('the next leave', () => batches.length === 3)
  t.same(batches[2]?.items, [4, 5, 6, 7, 8], 'no more than that at a time')
  batches[1]?.end()
  batches[2]?.end()
  await until('the last', () => batches.length === 4)
  batches[3]?.end()
  t.same(await Promise.all([...two, ...rest]), [20, 30, 40, 50, 60, 70, 80, 90])
})

t.test('the patient wait for company: for a while, for a few, for one that is not patient', async (t) => {
  function batcher (apartMs: number) {
    const left: Array<{ items: readonly number[], atMs: number }> = []
    const add = createBatcher<number, number>({ most: 5, few: 3, apartMs }, async (items) => {
      left.push({ items, atMs: performance.now() })
      await sleep(10)
      return items
    })
    return { add, left, items: () => left.map((one) => one.items) }
  }
  const brief = batcher(100)
  await brief.add(1, true)
  await Promise.all([2, 3].map(async (n) => await brief.add(n, true)))
  t.same(brief.items(), [[1], [2, 3]], 'a lone one leaves at once')
  const [first, second] = brief.left
  // A timer may be a millisecond early.
  t.ok((second?.atMs ?? 0) - (first?.atMs ?? 0) >= 98, 'the next when their time is over, though nothing is on its way')

  const { add, items } = batcher(3_600_000)
  await add(1, true)
  await Promise.all([2, 3, 4].map(async (n) => await add(n, true)))
  t.same(items().at(-1), [2, 3, 4], 'a few are company enough')
  const before = add(5)
  await until('it is on its way', () => items().length === 3)
  const patient = add(6, true)
  await before
  await sleep(20)
  t.equal(items().length, 3, 'what comes back takes nobody along')
  t.same(await Promise.all([patient, add(7)]), [6, 7])
  t.same(items().at(-1), [6, 7], 'one that is not patient does')
})
