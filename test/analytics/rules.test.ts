import t from 'tap'
import { judge, keepMapped, mergeParts, partsOf, withoutRepeats } from '../../src/analytics/collector.ts'
import { nextState } from '../../src/analytics/alerts.ts'
import { toQuestion } from '../../src/analytics/query.ts'
import { uuidv7 } from '../../src/kernel/index.ts'
import type { Query } from '../../src/analytics/schemas.ts'

const workspaceId = uuidv7()
const now = Date.UTC(2026, 10, 25, 12)

/** An id of exactly this instant; `uuidv7` never goes back in time. */
function idAt (ms: number): string {
  const time = ms.toString(16).padStart(12, '0')
  return `${time.slice(0, 8)}-${time.slice(8)}${uuidv7().slice(13)}`
}

t.test('an event is judged by itself, with a code and a place', async (t) => {
  const cases: Array<[unknown, string, string]> = [
    [{ name: 'page.viewed' }, 'id_missing', '/id'],
    [{ name: 'page.viewed', sourceId: 'a' }, 'id_missing', '/id'],
    [{ id: idAt(now), name: 'page.viewed', at: '2020-01-01T00:00:00Z' }, 'at_mismatch', '/at'],
    [{ id: idAt(now + 600_000), name: 'page.viewed' }, 'in_future', '/at'],
    [{ sourceId: 'a', at: '2020-01-01T00:00:00Z', name: 'page.viewed' }, 'too_old', '/at'],
    [{ id: idAt(now), name: 'Page' }, 'name_invalid', '/name'],
    [{ id: idAt(now), name: 'page.viewed', props: { deep: { er: 1 } } }, 'props_invalid', '/props/deep'],
    [{ id: idAt(now), name: 'page.viewed', props: { $where: 'x' } }, 'props_invalid', '/props'],
    ['text', 'name_invalid', '']
  ]
  for (const [input, code, pointer] of cases) {
    const judged = judge(workspaceId, input, now)
    t.match(judged, { code }, JSON.stringify(input))
    t.ok('pointer' in judged && judged.pointer.startsWith(pointer), `${JSON.stringify(input)} at ${pointer}`)
  }
  t.ok('event' in judge(workspaceId, { id: idAt(now), name: 'page.viewed', props: { n: 1 } }, now))
})

t.test('a domain event gives the same keys however often it is mapped', async (t) => {
  const event = {
    id: idAt(now),
    type: 'social.posts.synced',
    v: 1,
    workspaceId,
    subject: { type: 'account', id: uuidv7() },
    data: {},
    at: new Date(now).toISOString(),
    cause: null,
    actor: null,
    isReplay: false
  }
  const mapped = [{ name: 'a.b', props: {} }, { name: 'a.b', props: {} }]
  const keys = (): string[] => keepMapped(event, mapped).map(({ key }) => key.toString('hex'))
  t.same(keys(), keys())
  t.equal(new Set(keys()).size, 2)
  t.equal(withoutRepeats([...keepMapped(event, mapped), ...keepMapped(event, mapped)]).length, 2)
})

t.test('parts add up per bucket, and merging them adds nothing', async (t) => {
  const kept = [0, 1, 16 * 60_000].flatMap((offset) => {
    const judged = judge(workspaceId, { id: idAt(now - offset), name: 'a.b' }, now)
    return 'event' in judged ? [judged.event] : []
  })
  const parts = partsOf(kept)
  const count = (tier: string): number[] => parts.filter((part) => part.tier === tier).map((part) => part.count)
  t.same(count('quarter').toSorted(), [1, 1, 1])
  t.equal(count('minute').reduce((a, b) => a + b), 3)
  t.equal(mergeParts([...parts, ...parts]).reduce((sum, part) => sum + part.count, 0), 12)
})

t.test('an alert fires once, waits for its time, and comes back', async (t) => {
  const tick = new Date(now)
  const later = new Date(now + 60_000)
  t.equal(nextState(undefined, { isMet: false, tick, forMs: 0 }), undefined)
  t.equal(nextState(undefined, { isMet: true, tick, forMs: 0 })?.state, 'firing')
  const pending = nextState(undefined, { isMet: true, tick, forMs: 60_000 })
  t.equal(pending?.state, 'pending')
  t.equal(nextState(pending, { isMet: true, tick, forMs: 60_000 }), undefined)
  t.equal(nextState(pending, { isMet: true, tick: later, forMs: 60_000 })?.state, 'firing')
  const firing = { state: 'firing' as const, pendingSince: tick, since: tick }
  t.equal(nextState(firing, { isMet: true, tick: later, forMs: 0 }), undefined)
  t.equal(nextState(firing, { isMet: false, tick: later, forMs: 0 })?.state, 'normal')
})

t.test('a query that cannot be answered says why', async (t) => {
  const ask = (query: Partial<Query>) => () =>
    toQuestion(workspaceId, { event: 'a.b', range: { last: '1h' }, ...query }, now)
  const backwards = { from: '2026-01-02T00:00:00Z', to: '2026-01-01T00:00:00Z' }
  t.throws(ask({ zone: 'Mars/Olympus' }), { code: 'analytics.query_invalid' })
  t.throws(ask({ range: backwards }), { code: 'analytics.query_invalid' })
  t.throws(ask({ range: { last: '900d' } }), { code: 'analytics.query_too_large' })
  t.equal(ask({})().fromMs, now - 3_600_000)
})
