// What a keeper costs that has nothing to do: an installation has one at all times.
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
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
