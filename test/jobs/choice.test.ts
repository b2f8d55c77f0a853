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

t.test('who has little at work is a newcomer where the window is full, and only there', async (t) => {
  const { choice, count } = keeper()
  await count(50)
  t.same([choice.isNewcomer('fast', 'w'), choice.isNewcomer('fast', 'other')], [false, false])
  await count(150)
  t.same([choice.isNewcomer('fast', 'w'), choice.isNewcomer('fast', 'other')], [false, true])
  await count(200)
  t.equal(choice.isNewcomer('fast', 'other'), false, 'nor where the quarter is used up')
})
