// What a keeper counts between two looks into the store.
import t from 'tap'
import { createChoice } from '../../plugins/queue/choice.ts'
import type { Candidate, CandidateRepository, ShareRepository } from '../../src/jobs/index.ts'

const now = new Date('2026-03-04T12:00:00Z')

function keeper (maxLive?: number) {
  let live = 0
  const choice = createChoice({
    candidates: {
      live: async () => [{ queue: 'fast' as const, workspaceId: 'w', count: live }]
    } as unknown as CandidateRepository,
    shares: { all: async () => [{ _id: 'w', ...(maxLive === undefined ? {} : { maxLive }) }] } as ShareRepository,
    concurrencyOf: () => 50
  })
  const waiting = Array.from({ length: 4 }, (_, n) => ({
    _id: `r${n}`, workspaceId: 'w', queue: 'fast', lane: 'default', runAt: now, cost: 1
  })) as unknown as Candidate[]
  return {
    choice,
    count: async (runs: number) => {
      live = runs
      await choice.load()
    },
    waiting,
    starts: () => choice.choose(choice.placesOf('fast'), waiting, now).chosen.length
  }
}

t.test('an end that the last count has met makes no room twice where there is a cap', async (t) => {
  const { choice, count, starts } = keeper(2)
  await count(1)
  t.equal(choice.isKnown('fast'), true)
  // Told late: the count of one is without it already.
  choice.ended([['fast', 'w']])
  t.equal(starts(), 1)
  t.equal(choice.isKnown('fast'), false, 'the next pass counts anew')
  await count(0)
  t.equal(choice.isKnown('fast'), true)
  t.equal(starts(), 2)
})

t.test('without a cap an end makes room at once, and nothing is counted anew', async (t) => {
  const { choice, count } = keeper()
  await count(1000)
  const before = choice.placesOf('fast').free
  choice.ended(Array.from({ length: 1000 }, () => ['fast', 'w'] as [string, string]))
  t.ok(choice.placesOf('fast').free > before)
  t.equal(choice.isKnown('fast'), true)
})

t.test('a newcomer who came while the window was exceeded is looked at when it no longer is', async (t) => {
  const { choice, count, waiting } = keeper()
  choice.setRate('fast', 1000)
  await count(350)
  // The rate fell, and what was released is more than the window and its quarter.
  choice.setRate('fast', 500)
  const newcomers = waiting.map((run) => ({ ...run, workspaceId: 'other' }))
  const places = choice.placesOf('fast')
  t.same([places.free, places.extra], [0, 0])
  choice.choose(places, [], now)
  const end = (runs: number) => choice.ended(Array.from({ length: runs }, () => ['fast', 'w'] as [string, string]))
  t.same(end(90), [], 'not yet')
  t.same(end(20), ['fast'])
  t.equal(choice.choose(choice.placesOf('fast'), newcomers, now).chosen.length, newcomers.length)
  t.same(end(1), [], 'nobody is left behind')
})

t.test('who has little at work is a newcomer where others have all places, and only there', async (t) => {
  const { choice, count } = keeper()
  await count(49)
  t.same([choice.isNewcomer('fast', 'w'), choice.isNewcomer('fast', 'other')], [false, false])
  await count(50)
  t.same([choice.isNewcomer('fast', 'w'), choice.isNewcomer('fast', 'other')], [false, true])
  await count(200)
  t.equal(choice.isNewcomer('fast', 'other'), false, 'nor where the quarter is used up')
})

const dueOf = (workspaceId: string, from: number, count: number) => Array.from({ length: count }, (_, n) => ({
  _id: `${workspaceId}${String(from + n).padStart(4, '0')}`,
  workspaceId, queue: 'fast', lane: 'default', runAt: now, cost: 1
})) as unknown as Candidate[]

t.test('what a look left behind goes next without another look, as long as nobody may have more', async (t) => {
  const { choice, count } = keeper()
  choice.setRate('fast', 200)
  await count(0)
  const look = choice.placesOf('fast')
  const asked = look.asks.find(({ lane }) => lane === 'default')?.runs ?? 0
  t.equal(asked, look.free + 100, 'the starts of half a second besides')
  const gone = (runs: readonly Candidate[]) => choice.ended(runs.map(({ workspaceId }) => ['fast', workspaceId]))
  const send = (runs: readonly Candidate[]) => { for (const run of runs) choice.sent(run) }
  const first = choice.choose(look, dueOf('w', 0, asked), now).chosen
  t.equal(first.length, look.free)
  send(first)
  t.same(gone(first.slice(0, 18)), [], 'less than an eighth is not worth it')
  t.same(gone(first.slice(18, 20)), ['fast'])

  const again = choice.placesOf('fast', new Set(['w9999']))
  t.same([again.asks, again.ids, again.free], [[], ['w9999'], 20], 'but for what is new')
  const second = choice.choose(again, dueOf('w', 9999, 1), now).chosen
  t.same(second.map(({ _id }) => _id), dueOf('w', look.free, 20).map(({ _id }) => _id), 'in order, each once')
  send(second)
  gone([...second, ...first.slice(20)])
  t.equal(choice.placesOf('fast').asks.length, 3, 'a poll looks anew')
  t.equal(choice.placesOf('fast', new Set()).asks.length, 3, 'and so does who needs more than is known')
  t.equal(choice.placesOf('fast', new Set(Array(65).keys().map(String))).asks.length, 3, 'or is told of too much')
})

t.test('where the window is full no more is asked for than what is new', async (t) => {
  const { choice, count } = keeper()
  await count(150)
  choice.choose(choice.placesOf('fast'), [], now)
  const places = choice.placesOf('fast', new Set(['v0000', 'w0000']))
  t.same([places.asks, places.ids], [[], ['v0000', 'w0000']])
  const { chosen, hasMore } = choice.choose(places, [...dueOf('v', 0, 1), ...dueOf('w', 0, 1)], now)
  t.same(chosen.map(({ _id }) => _id), ['v0000'], 'whoever is busy waits for a place')
  t.equal(hasMore, false)
})

t.test('who exceeds the window moves the turns of nobody who waits for a place', async (t) => {
  const { choice, count } = keeper()
  await count(0)
  const gone = (runs: readonly Candidate[]) => choice.ended(runs.map(({ workspaceId }) => ['fast', workspaceId]))
  const went = new Map<string, number>()
  for (const run of [...dueOf('a', 9000, 20), ...dueOf('c', 9000, 20)]) choice.sent(run)
  // Two that are busy, and a newcomer at each pass, in which twelve places are free.
  for (let pass = 0; pass < 40; pass++) {
    const known = [...dueOf('a', pass * 200, 200), ...dueOf('c', pass * 200, 200), ...dueOf('z', pass, 1)]
    const { chosen } = choice.choose({ ...choice.placesOf('fast'), free: 12, extra: 40 }, known, now)
    for (const { workspaceId } of chosen) went.set(workspaceId, (went.get(workspaceId) ?? 0) + 1)
    for (const run of chosen) choice.sent(run)
    gone(chosen)
  }
  t.equal(went.get('z'), 40, 'each newcomer goes at once')
  const [a = 0, c = 0] = [went.get('a'), went.get('c')]
  t.ok(Math.abs(a - c) <= 20, `the others get the same, within two turns: ${a} and ${c}`)
})

t.test('old runs of another lane find no part of the quarter beyond the window, urgent ones do', async (t) => {
  const { choice, count } = keeper()
  await count(138)
  const old = dueOf('w', 0, 100).map((run) => ({ ...run, runAt: new Date(now.getTime() - 3_600_000) }))
  const places = { ...choice.placesOf('fast'), free: 12, extra: 50 }
  t.equal(choice.choose(places, old, now).chosen.length, 12)
  const urgent = dueOf('w', 200, 100).map((run) => ({ ...run, lane: 'interactive' as const }))
  t.equal(choice.choose(places, urgent, now).chosen.length, 50, 'and never more than it')
})
