// New runs of newcomers go beside the pass under way: which of them, how many, and what becomes of the others.
import t from 'tap'
import { setTimeout as sleep } from 'node:timers/promises'
import { createRelay } from '../../plugins/queue/relay.ts'
import type { Candidate } from '../../src/jobs/index.ts'
import { loneKeeper, wall } from './lone-keeper.ts'
import { until } from './rig.ts'

const nothing = async (): Promise<void> => undefined

/** A relay over these pending runs of newcomers, for whom there are so many places. */
function relayOf (pending: readonly Candidate[], extra = 16) {
  const state = {
    published: [] as string[], added: [] as string[], refused: [] as string[], total: 0, handed: 0,
    /** How long it takes to publish a run and to add it to Redis. */
    ms: {} as Record<string, [publish: number, add: number]>
  }
  const msOf = (id = ''): [number, number] => state.ms[id] ?? [5, 5]
  const relay = createRelay({
    runs: {
      async publish (runs: readonly Candidate[]) {
        await sleep(msOf(runs[0]?._id)[0])
        const mine = runs.filter(({ _id }) => !state.published.includes(_id))
        state.published.push(...mine.map(({ _id }) => _id))
        return mine.map(({ _id: id, queue, lane }) => ({ id, queue, lane, release: 1 }))
      }
    },
    candidates: { these: async (ids: readonly string[]) => pending.filter(({ _id }) => ids.includes(_id)) },
    choice: {
      isNewcomer: (_queue: string, _workspaceId: string, more: number) => extra > state.total + more,
      sent () { state.total++; return 0 },
      isBusy: () => true
    },
    contest: { giveBack: nothing },
    delivery: {
      async add (deliveries: ReadonlyArray<{ id: string }>) {
        const ids = deliveries.map(({ id }) => id)
        await sleep(msOf(ids[0])[1])
        if (ids.some((id) => state.refused.includes(id))) throw new Error('Redis is away')
        state.added.push(...ids)
      }
    },
    view: { canHandle: (name: string) => name !== 'test.unknown' },
    pauses: { isPaused: ({ workspaceId }: Candidate) => workspaceId === 'paused' },
    retries: { note: () => undefined },
    clock: wall, onPublished: () => undefined, handOver: () => { state.handed++ }
  } as unknown as Parameters<typeof createRelay>[0])
  return { relay, state }
}

function newRun (_id: string, more: Partial<Candidate> = {}): Candidate {
  const plain = { workspaceId: _id, name: 'test.hold', v: 1, queue: 'fast', lane: 'default', release: 0, attempt: 0 }
  return { _id, ...plain, ...more } as Candidate
}

t.test('what a pass has to decide on is left to it', async (t) => {
  const cases: Record<string, Partial<Candidate>> = {
    serial: { serial: 's' },
    target: { target: 't' },
    resource: { resources: ['r'] },
    schedule: { cause: { kind: 'schedule', id: 's' } },
    retry: { attempt: 1 },
    late: { deadlineAt: new Date(0) },
    paused: { workspaceId: 'paused' },
    unknown: { name: 'test.unknown' }
  }
  const left = Object.entries(cases).map(([id, more]) => newRun(id, more))
  const { relay, state } = relayOf([...left, newRun('plain'), newRun('in time', { deadlineAt: new Date(2 ** 42) })])
  for (const { _id } of left) t.equal(await relay.hasten([_id]), false, _id)
  t.same(state.published, [])
  t.equal(await relay.hasten(['plain', 'in time']), true)
  t.equal(await relay.hasten(['plain']), false, 'one that is published already')
  t.equal(await relay.hasten(['gone']), false)
  await relay.added()
  t.same([state.published, state.added], [['plain', 'in time'], ['plain', 'in time']])
  t.equal(state.handed, 2)
})

t.test('those who go at once share the places that are there for newcomers', async (t) => {
  const { relay, state } = relayOf(['a', 'b', 'c', 'd'].map((id) => newRun(id)), 3)
  const answers = await Promise.all([relay.hasten(['a', 'b']), relay.hasten(['c', 'd'])])
  t.same(answers, [true, false])
  t.same(state.published, ['a', 'b', 'c'])
  t.equal(await relay.hasten(['d']), false)
})

t.test('where Redis refused what went before nothing goes, and whoever is last hears of it', async (t) => {
  const { relay, state } = relayOf(['a', 'b', 'c', 'd', 'e'].map((id) => newRun(id)))
  state.refused = ['a']
  t.equal(await relay.hasten(['a']), true)
  await t.rejects(relay.hasten(['b']), /Redis is away/)
  t.same(state.published, ['a'])
  t.equal(await relay.hasten(['b']), true)
  await relay.added()
  t.same(state.added, ['b'])

  // c waits for what e adds; what d adds meanwhile is refused.
  Object.assign(state, { refused: ['d'], ms: { c: [40, 5], e: [5, 100], d: [5, 5] } })
  const going = ['c', 'e'].map(async (id) => await relay.hasten([id]))
  await sleep(70)
  t.equal(await relay.hasten(['d']), true)
  t.same(await Promise.all(going), [true, true])
  await t.rejects(relay.added(), /Redis is away/)
  await until('the others are in Redis', () => state.added.join() === 'b,e,c')
})

t.test('they go beside a turn that takes long; who is left behind or fails is met by the next', async (t) => {
  let endPass: () => void = () => undefined
  let [isLate, isAway] = [false, false]
  /** Of each pass whether it looked at everything. */
  const passes: boolean[] = []
  const [hastened, wanted]: [string[], string[]] = [[], []]
  const { keeper, tell, leading, end } = loneKeeper({
    relay: {
      async pass (queues: 'all' | Map<string, ReadonlySet<string> | undefined>) {
        passes.push(queues === 'all')
        if (queues !== 'all') for (const runs of queues.values()) wanted.push(...runs ?? [])
        if (isLate) await new Promise<void>((resolve) => { endPass = resolve })
        return { published: 0, hasMore: false }
      },
      async hasten ([id = '']: readonly string[]) {
        if (isAway) throw new Error('the store is away')
        hastened.push(id)
        return !id.startsWith('left')
      },
      isNewcomer: (_queue: string, id: string) => id === 'new'
    }
  })
  const add = (id: string, workspace = 'new'): void => {
    keeper.wake({ queues: ['fast'], workspaces: [workspace], runs: [id] })
  }
  await until('the first pass', () => passes.length > 0)
  isLate = true
  add('old', 'busy')
  await until('a pass that takes long', () => wanted.includes('old'))
  add('now')
  add('left')
  t.same(hastened, ['now', 'left'])
  isLate = false
  endPass()
  await until('the next pass', () => wanted.includes('left'))
  t.notOk(wanted.includes('now'))
  const polled = passes.length
  await until('a poll, long before the next', () => passes.slice(polled).includes(true))
  isAway = true
  const failedAt = passes.length
  add('failed')
  await until('a pass after a failure', () => passes.length > failedAt)
  t.equal(passes[failedAt], true, 'looks at everything')
  isAway = false
  tell(false)
  add('unwell')
  await sleep(50)
  t.same(hastened, ['now', 'left'], 'while the rounds fail nothing is released')
  t.notOk(wanted.includes('unwell'))
  const unwell = passes.length
  tell(true)
  await until('all is well', () => passes.length > unwell)
  end()
  await leading
  add('later')
  t.same(hastened, ['now', 'left'], 'nor without the lease')
})
