// A Redis that was emptied, and a keeper that dies while it takes back what was published.
import { randomUUID } from 'node:crypto'
import t from 'tap'
import { createLeaseRepository } from '../../src/jobs/index.ts'
import { createRecovery } from '../../plugins/queue/recovery.ts'
import { dropPlace, newPlace, rig } from './rig.ts'

t.test('who dies between the runs and the epoch leaves both to the next keeper', async (t) => {
  const place = newPlace()
  const app = await rig({ place, role: 'server', declared: {} })
  const lease = 'test.keeper'
  const epochKey = `test:${randomUUID()}`
  t.teardown(async () => {
    await app.redis.del(epochKey)
    await app.close()
    await dropPlace(place)
  })
  const leases = createLeaseRepository(app.db)
  await leases.ensure(lease)
  let takenBack = 0
  let isDying = false
  /** A process of its own, as far as this goes: what it knows ends with it. */
  const keeper = () => createRecovery({
    runs: {
      async takeBack () {
        if (isDying) throw new Error('killed')
        return ++takenBack
      }
    },
    leases, redis: app.redis, epochKey, epochTag: '1.', lease, log: app.log
  } as unknown as Parameters<typeof createRecovery>[0])
  const lead = async (): Promise<number> => {
    const state = await leases.read(lease)
    const fence = await leases.take(lease, {
      holder: { host: 'here', pid: 1, startedAt: 1 }, by: randomUUID(), fromFence: state?.fence ?? 0
    })
    return fence ?? NaN
  }

  const first = keeper()
  const fence = await lead()
  t.equal(await first.checkEpoch(fence), false, 'nothing was published under another epoch')
  t.equal(await first.checkEpoch(fence), false)
  await app.redis.del(epochKey)
  isDying = true
  await t.rejects(first.checkEpoch(fence), { message: 'killed' })

  isDying = false
  const second = keeper()
  const next = await lead()
  t.equal(await second.checkEpoch(next), true, 'Redis is still another one')
  t.equal(takenBack, 1)
  t.equal(await second.checkEpoch(next), false, 'and is known from then on')
  t.equal(await leases.epoch(lease), await app.redis.get(epochKey))

  await app.redis.del(epochKey)
  t.equal(await second.checkEpoch(next), true, 'emptied once more under the same keeper')
  t.equal(takenBack, 2)
})
