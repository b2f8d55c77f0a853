// What a keeper costs that has nothing to do: an installation has one at all times.
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { createHoldRepository } from '../../src/jobs/repository/holds.ts'
import { createMendingRepository } from '../../src/jobs/repository/mendings.ts'
import { dropPlace, newPlace, rig, until } from './rig.ts'

const watchedMs = 10_000

t.test('a keeper with nothing to do asks little', async (t) => {
  const place = newPlace()
  t.teardown(async () => { await dropPlace(place) })
  const app = await rig({ place, groups: ['keeper'] })
  t.teardown(async () => { await app.close() })
  await until('a keeper leads', async () => await app.leases.holder('jobs.keeper:0') !== null)
  await sleep(2000)
  await app.db.command({ profile: 2 })
  await sleep(watchedMs)
  await app.db.command({ profile: 0 })
  const asked = await app.db.collection('system.profile')
    .aggregate<{ _id: string, n: number }>([
      { $match: { op: { $in: ['query', 'command', 'update', 'remove'] }, ns: { $not: /system/ } } },
      { $group: { _id: { $concat: ['$op', ' ', '$ns'] }, n: { $sum: 1 } } }
    ]).toArray()
  const total = asked.reduce((sum, { n }) => sum + n, 0)
  // Eight a second, and once how all of it stands.
  t.ok(total > 20 && total <= 120, JSON.stringify(asked))
})

t.test('what it asks every second costs nothing for what needs no looking after', async (t) => {
  const place = newPlace()
  t.teardown(async () => { await dropPlace(place) })
  const app = await rig({ place, role: 'server' })
  t.teardown(async () => { await app.close() })
  const holdUntil = new Date(app.clock.ms() + 600_000)
  const rows = (fields: object) => Array.from({ length: 500 }, () => ({ ...fields }))
  await app.db.collection('jobs.resources').insertMany([...rows({ rev: 1 }), { rev: 1, holdUntil, probe: true }])
  await app.db.collection('jobs.batches').insertMany(rows({ state: 'complete', workspaceId: 'w' }))
  await app.db.collection('jobs.runs').insertMany(rows({ state: 'done', isNeeded: false }).map((row, n) => (
    { ...row, workspaceId: 'w', name: `test.${n}` })))
  await app.db.command({ profile: 2 })
  const { holds } = await createHoldRepository(app.db).read()
  await createMendingRepository(app.db).look()
  await app.db.command({ profile: 0 })
  t.match(holds, [{ untilMs: holdUntil.getTime(), isProbe: true }])
  const asked = await app.db.collection('system.profile').find({ 'command.aggregate': /^jobs/ }).toArray()
  t.same(asked.map(({ ns, docsExamined }) => [String(ns).replace(/^\w+\./, ''), docsExamined]),
    [['jobs.resources', 1], ['jobs.runs', 0]])
})
