// Places of a resource while many come and go: what is given back helps, and stays given back.
import t from 'tap'
import { createResourceRepository } from '../../src/jobs/index.ts'
import { uuidv7 } from '../../src/kernel/index.ts'
import { dropPlace, newPlace, rig } from './rig.ts'

const place = newPlace()
const app = await rig({ place, role: 'server' })
t.teardown(async () => {
  await app.close()
  await dropPlace(place)
})
const resources = createResourceRepository(app.db)
const until = new Date(app.clock.ms() + 120_000)
const holder = (runId: string) => ({ runId, release: 1, until })
const row = async (name: string) => (await resources.named([name]))[0]
const take = async (name: string, rev: number, ...ids: string[]): Promise<boolean> =>
  await resources.take({ name, rev, holders: ids.map(holder), bucket: undefined })

t.test('a place that comes back meanwhile is no reason to refuse a taking, another taking is', async (t) => {
  t.ok(await take('desk', 0, 'a', 'b'))
  const { rev = 0 } = await row('desk') ?? {}
  await resources.giveBack(['desk'], { runId: 'a', release: 1 })
  t.ok(await take('desk', rev, 'c'), 'there is one place more than it knows')
  t.notOk(await take('desk', rev, 'd'), 'somebody took one since')
  t.same((await row('desk'))?.holders?.map(({ runId }) => runId), ['b', 'c'])
})

t.test('who lives keeps the place and who is gone loses it, whatever comes and goes meanwhile', async (t) => {
  const [living, gone, comes] = [uuidv7(), uuidv7(), uuidv7()]
  await app.db.collection<{ _id: string }>('jobs.runs').insertOne({ _id: living, isLive: true, release: 1 } as never)
  const later = new Date(app.clock.ms() + 240_000)
  for (let i = 0; i < 50; i++) {
    const name = `seat ${i}`
    await take(name, 0, living, gone, 'x')
    const [freed] = await Promise.all([
      resources.reconcile(app.clock.now(), later),
      resources.giveBack([name], { runId: 'x', release: 1 }),
      take(name, 1, comes)
    ])
    t.ok(freed.includes(name))
    const { holders = [] } = await row(name) ?? {}
    t.same(holders.find(({ runId }) => runId === living)?.until, later, 'it has it for longer')
    t.same(holders.filter(({ runId }) => runId === gone || runId === 'x'), [], 'nobody comes back')
  }
})
