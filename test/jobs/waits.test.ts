// Runs that wait for something: whatever becomes of it, none of them waits for ever.
import t from 'tap'
import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import { defineJob, type AddOptions } from '../../src/kernel/index.ts'
import { createWorkerRepository } from '../../src/jobs/index.ts'
import { dropPlace, newPlace, rig, until } from './rig.ts'

interface Row { _id: string, state: string, heldBy: string | null, starts: number }

const Aimed = Type.Object({ at: Type.String({ maxLength: 20 }) }, { additionalProperties: false })
const call = defineJob({ name: 'test.call-out', queue: 'webhook', data: Aimed, target: ({ at }) => at })
const declared = { jobs: [call] }
const called: string[] = []

function bind (app: FastifyInstance): void {
  app.handleJob(call, async ({ run }) => { called.push(run.data.at) })
}

const rows = (app: FastifyInstance) => app.db.collection<Row>('jobs.runs')

async function add (app: FastifyInstance, at: string, options: AddOptions = {}): Promise<string> {
  const { id } = await app.tx(async (session) =>
    await app.jobs.add(session, call, { at }, { workspaceId: 'w1', ...options }))
  return id
}

const place = newPlace()
t.teardown(async () => { await dropPlace(place) })

t.test('a keeper that leads anew lets go of runs whose hold ended with the last one', async (t) => {
  const app = await rig({ place, groups: ['io'], declared, bind })
  t.teardown(async () => { await app.close() })
  const [freed, kept] = [await add(app, 'back'), await add(app, 'away')]
  // What the last keeper left: it had ended the hold, and was gone before its probe was answered.
  await rows(app).updateMany({ _id: { $in: [freed, kept] } }, { $set: { heldBy: 'target' } })
  await createWorkerRepository(app.db).hold('away', new Date(app.clock.ms() + 600_000), true)
  const keeper = await rig({ place, groups: ['keeper'], declared, bind })
  t.teardown(async () => { await keeper.close() })
  await until('the freed one is done', async () => (await rows(app).findOne({ _id: freed }))?.state === 'done', 30_000)
  t.match(await rows(app).findOne({ _id: kept }), { state: 'pending', heldBy: 'target', starts: 0 })
  t.same(called, ['back'])
})
