import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { uuidv7 } from '../../src/kernel/index.ts'
import type { IngestResult, Table } from '../../src/analytics/schemas.ts'
import { build, signIn } from '../helper.ts'

const day = { last: '24h' }

t.test('events are kept once, counted once, and shown to their workspace alone', async (t) => {
  const app = await build(t, { role: 'both', config: { DOMAINS: 'identity,notifications,analytics' } })
  const ann = await signIn(app)
  const events = Array.from({ length: 50 }, (_, index) => ({
    id: uuidv7(app.clock.ms()), name: 'page.viewed', props: { isNew: index % 5 === 0, path: `/p${index % 3}` }
  }))
  async function record (from: number, to: number): Promise<IngestResult> {
    const answer = await app.inject({
      method: 'POST', url: '/v1/analytics/events', headers: ann.headers, body: { events: events.slice(from, to) }
    })
    t.equal(answer.statusCode, 202, answer.body)
    return answer.json()
  }
  const results = await Promise.all([record(0, 50), record(0, 50), record(25, 50), record(0, 25)])
  t.equal(results.reduce((sum, { accepted }) => sum + accepted, 0), 50)
  t.equal(results.reduce((sum, { duplicates }) => sum + duplicates, 0), 100)

  async function query (body: object, headers = ann.headers): Promise<Table> {
    const answer = await app.inject({ method: 'POST', url: '/v1/analytics/queries', headers, body })
    t.equal(answer.statusCode, 200, answer.body)
    return answer.json()
  }
  const isFolded = async () => (await app.db.collection('analytics.batches').countDocuments()) === 0
  for (let tries = 0; tries < 200 && !await isFolded(); tries++) await sleep(50)
  t.ok(await isFolded(), 'every batch is folded')
  const rollups = await app.db.collection('analytics.rollups').find({ t: 'quarter' }).toArray()
  t.equal(rollups.reduce((sum, { c }) => sum + c, 0), 50)
  t.same((await query({ event: 'page.viewed', range: day })).rows, [[50]])
  t.same((await query({
    event: 'page.viewed', range: day, where: [{ prop: 'isNew', op: 'eq', value: true }]
  })).rows, [[10]])
  t.same((await query({ event: 'page.viewed', range: day, groupBy: ['path'] })).rows,
    [['/p0', 17], ['/p1', 17], ['/p2', 16]])
  const bob = await signIn(app)
  t.same((await query({ event: 'page.viewed', range: day }, bob.headers)).rows, [[0]])
})

t.test('an alert crosses its line once, with one event, and belongs to its workspace', async (t) => {
  const app = await build(t, { role: 'both', config: { DOMAINS: 'identity,notifications,analytics' } })
  const ann = await signIn(app)
  const made = await app.inject({
    method: 'POST',
    url: '/v1/analytics/alerts',
    headers: ann.headers,
    body: {
      name: 'Many',
      query: { event: 'page.viewed', range: { last: '15m' } },
      op: 'gt',
      threshold: 3,
      everyMs: 5000,
      lagMs: 0
    }
  })
  t.equal(made.statusCode, 201, made.body)
  const { id } = made.json<{ id: string }>()
  const events = Array.from({ length: 5 }, () => ({ id: uuidv7(app.clock.ms()), name: 'page.viewed' }))
  await app.inject({ method: 'POST', url: '/v1/analytics/events', headers: ann.headers, body: { events } })
  const fired = () => app.db.collection('jobs.events').countDocuments({ type: 'analytics.alert.fired' })
  for (let tries = 0; tries < 300 && await fired() === 0; tries++) await sleep(50)
  await sleep(5500)
  t.equal(await fired(), 1)
  const shown = await app.inject({ url: `/v1/analytics/alerts/${id}`, headers: ann.headers })
  t.match(shown.json(), { instance: { state: 'firing', value: 5 } })
  const bob = await signIn(app)
  const foreign = await app.inject({ url: `/v1/analytics/alerts/${id}`, headers: bob.headers })
  t.match([foreign.statusCode, foreign.json()], [404, { code: 'analytics.alert_not_found' }])
  const refused = await app.inject({
    method: 'POST',
    url: '/v1/analytics/alerts',
    headers: ann.headers,
    body: { name: 'x', op: 'gt', threshold: 1, more: 1 }
  })
  t.equal(refused.statusCode, 400)
})
