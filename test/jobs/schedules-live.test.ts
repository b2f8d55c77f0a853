// Schedules with living keepers, and over REST.
import t from 'tap'
import { Type } from 'typebox'
import { defineJob, defineSchedule, uuidv7 } from '../../src/kernel/index.ts'
import { build, quickSignIn } from '../helper.ts'
import { dropPlace, newPlace, rig, until } from './rig.ts'
import { checkStorm } from './storm.ts'

t.test('P11: processes that boot together declare each schedule once; no slot is missing or double', async (t) => {
  const place = newPlace()
  const data = Type.Object({}, { additionalProperties: false })
  const tick = defineJob({ name: 'test.tick-over', queue: 'fast', data })
  const schedules = Array.from({ length: 20 }, (_, i) => defineSchedule({
    name: `test.storm-${i}`, job: tick, data: {}, spec: { everyMs: 1000 }, smear: false, overlap: 'allow_all'
  }))
  const boot = async () => await rig({
    place, declared: { jobs: [tick], schedules }, bind: (app) => { app.handleJob(tick, async () => {}) }
  })
  const apps = await Promise.all([boot(), boot(), boot()])
  const [first] = apps
  t.teardown(async () => {
    await Promise.all(apps.map(async (app) => { await app.close() }))
    await dropPlace(place)
  })
  const slots = first.db.collection('jobs.slots')
  await until('slots', async () => await slots.countDocuments() >= 40)
  const lease = await first.db.collection<{ _id: string, by: string }>('jobs.leases').findOne({ _id: 'jobs.keeper:0' })
  const led = apps.findIndex(({ processes }) => processes.id === lease?.by)
  await apps.splice(led, 1)[0]?.close()
  const { db } = apps[0] ?? first
  const seen = await db.collection('jobs.slots').countDocuments()
  await until('the next leader goes on', async () => await db.collection('jobs.slots').countDocuments() >= seen + 40)
  t.match(await checkStorm(db, schedules.length), { schedules: 20, missing: 0, double: 0, runsMissing: 0 })
  const late = await db.collection<{ lateMs: number }>('jobs.slots').find().sort({ lateMs: -1 }).limit(1).toArray()
  t.comment(`the latest slot was ${late[0]?.lateMs} ms late, a change of leader included`)
  await until('runs are done', async () =>
    await db.collection('jobs.runs').countDocuments({ state: 'done', 'cause.kind': 'schedule' }) > 40)
})

t.test('REST', async (t) => {
  const app = await build(t, { role: 'both' })
  const operator = await quickSignIn(app, { roles: ['operator'] })
  const owner = await quickSignIn(app)
  const member = await quickSignIn(app, { roles: ['member'] })
  const probe = [...app.registry.jobs.values()].find(({ name }) => name === 'social.probe-account')
  const data = { workspaceId: uuidv7(), accountId: uuidv7(), generation: 1 }
  const body = { name: 'probe.often', job: probe?.name ?? '', data, spec: { cron: '0 3 * * *' }, zone: 'Europe/Berlin' }

  async function call (method: 'GET' | 'POST' | 'PATCH' | 'DELETE', url: string, payload?: object, who = operator) {
    const answer = await app.inject({
      method, url: `/v1/jobs/schedules${url}`, headers: who.headers, ...(payload === undefined ? {} : { payload })
    })
    return { status: answer.statusCode, body: answer.body === '' ? {} : answer.json() }
  }

  t.test('a schedule from its making to its end', async (t) => {
    const made = await call('POST', '', body)
    const defaults = { isEnabled: true, overlap: 'skip', misfire: 'last', pauseAfter: 5 }
    t.match(made, { status: 201, body: { name: 'probe.often', ...defaults } })
    const url = `/${made.body.id}`
    t.match(await call('GET', ''), { status: 200, body: { data: [{ id: made.body.id }], page: { hasMore: false } } })
    t.match(await call('GET', url), { status: 200, body: { id: made.body.id } })
    t.match(await call('PATCH', url, { spec: { cron: '0 4 * * *' }, overlap: 'allow_all' }),
      { status: 200, body: { spec: { cron: '0 4 * * *' }, overlap: 'allow_all', version: 2 } })
    const explained = await call('GET', `${url}/explain?count=3`)
    t.match(explained, { status: 200, body: { slots: [{ verdict: 'fire', reasons: [], dst: null }, {}, {}] } })
    t.equal(explained.body.slots[0].wall.slice(11), '04:00:00')
    t.match(await call('POST', `${url}/trigger`), { status: 200, body: { outcome: 'fire', by: 'trigger' } })
    t.match(await call('GET', `${url}/slots`), {
      status: 200, body: { data: [{ outcome: 'fire' }], page: { hasMore: false } }
    })
    t.match(await call('POST', `${url}/pause`), {
      status: 200, body: { isEnabled: false, pausedFor: 'operator', nextSlotAt: null }
    })
    t.match(await call('GET', `${url}/explain`), {
      status: 200, body: { slots: [{ verdict: 'skip', reasons: ['paused'] }] }
    })
    t.match(await call('POST', `${url}/resume`), { status: 200, body: { isEnabled: true, pausedFor: null } })
    const range = { from: '2026-01-01T00:00:00Z', to: '2026-01-03T23:00:00Z', overlap: 'skip' }
    t.match(await call('POST', `${url}/backfill`, range), { status: 200, body: { slots: 3 } })
    t.match(await call('DELETE', url), { status: 204 })
    t.match(await call('GET', url), { status: 404, body: { code: 'jobs.schedule_not_found' } })
  })

  t.test('who may', async (t) => {
    const { body: { id } } = await call('POST', '', { ...body, name: 'probe.mine' })
    t.match(await call('GET', `/${id}`, undefined, owner), { status: 404, body: { code: 'jobs.schedule_not_found' } })
    t.match(await call('GET', '', undefined, owner), { status: 200, body: { data: [] } })
    t.match(await call('POST', `/${id}/trigger`, undefined, owner), { status: 403 })
    t.match(await call('POST', '', body, owner), { status: 403 })
    t.match(await call('GET', '', undefined, member), { status: 403 })
  })

  t.test('what is refused', async (t) => {
    const dtstart = '2026-01-01T09:00:00'
    const rules: Array<[object, string, string]> = [
      [{ spec: { cron: 'x y z a b' } }, 'jobs.schedule_invalid', '/spec/cron'],
      [{ spec: { rrule: 'FREQ=YEARLY;BYWEEKNO=1', dtstart } }, 'jobs.rrule_unsupported', '/spec/rrule'],
      [{ spec: { rrule: 'FREQ=DAILY', dtstart: '2001-01-01T09:00:00' } }, 'jobs.schedule_invalid', '/spec/dtstart'],
      [{ zone: 'Nowhere/City' }, 'jobs.zone_unknown', '/zone']
    ]
    const { body: { id } } = await call('POST', '', { ...body, name: 'probe.good' })
    for (const [change, code, pointer] of rules) {
      const refused = { status: 422, body: { code, errors: [{ in: 'body', pointer }] } }
      t.match(await call('POST', '', { ...body, name: 'probe.bad', ...change }), refused, code)
      t.match(await call('PATCH', `/${id}`, change), refused, `${code} by a change`)
    }
    t.match(await call('GET', `/${id}`), { body: { spec: body.spec, zone: body.zone, version: 1 } }, 'none was kept')
    const cases: Array<[object, number, string]> = [
      [{ spec: { rrule: 'FREQ=DAILY;UNTIL=20260103T000000Z', dtstart } }, 422, 'jobs.slot_in_past'],
      [{ job: 'test.no-such' }, 422, 'jobs.unknown_job'],
      [{ data: { other: 1 } }, 422, 'jobs.schema_mismatch'],
      [{ name: 'probe.mine' }, 422, 'jobs.schedule_invalid'],
      [{ overlap: 'maybe' }, 400, 'http.validation_failed'],
      [{ more: 1 }, 400, 'http.validation_failed']
    ]
    for (const [change, status, code] of cases) {
      t.match(await call('POST', '', { ...body, name: 'probe.bad', ...change }), { status, body: { code } }, code)
    }
    for (const verb of ['trigger', 'pause', 'resume']) {
      t.match(await call('POST', `/${uuidv7()}/${verb}`), { status: 404, body: { code: 'jobs.schedule_not_found' } })
    }
  })
})
