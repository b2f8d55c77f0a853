// Who lost its run to another start writes nothing any more: not what it did, not how it ended.
import t from 'tap'
import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import { createClaimRepository, type Letter, type Outcome, type StartKey } from '../../src/jobs/index.ts'
import { defineJob, type JobContext } from '../../src/kernel/index.ts'
import { dropPlace, newPlace, rig, until } from './rig.ts'
import { addOne } from './wild.ts'

interface Row {
  _id: string
  state: string
  fence: number
  starts: number
  claim: string | null
  attempts: unknown[]
  result?: unknown
}

const late = defineJob({
  name: 'test.write-late', queue: 'fast', data: Type.Object({ how: Type.String({ maxLength: 20 }) })
})
const writes: Record<string, (ctx: JobContext<{ how: string }>) => Promise<unknown>> = {
  commit: async (ctx) => await ctx.commit(async (session) => { await effect(session) }),
  checkpoint: async (ctx) => await ctx.checkpoint(async (session) => { await effect(session) }),
  step: async (ctx) => { await ctx.step('one', async () => 1) },
  spawn: async (ctx) => await ctx.spawn(late, { how: 'return' }),
  result: async () => ({ of: 'a start that is over' }),
  failure: async () => { throw new TypeError('of a start that is over') }
}

const place = newPlace()
const said = new Map<string, string | undefined>()
const app = await rig({
  place,
  declared: { jobs: [late], collections: [{ name: 'test.effects', indexes: [] }] },
  bind (app) {
    app.handleJob(late, async (ctx) => {
      const { id, data: { how } } = ctx.run
      if (said.has(id)) return
      said.set(id, undefined)
      await supersede(app, id)
      try {
        return await writes[how]?.(ctx)
      } catch (error) {
        said.set(id, (error as { reason?: string }).reason)
        throw error
      }
    })
  }
})
t.teardown(async () => {
  await app.close()
  await dropPlace(place)
})

const runs = (of: FastifyInstance) => of.db.collection<Row>('jobs.runs')
const rowOf = async (id: string) => await runs(app).findOne({ _id: id })
const effect = async (session: unknown) => {
  await app.db.collection('test.effects').insertOne({}, { session: session as never })
}

/** What the start of another worker leaves: this one's claim is gone, its lock not yet. */
async function supersede (of: FastifyInstance, id: string): Promise<void> {
  await runs(of).updateOne({ _id: id }, { $inc: { fence: 1, starts: 1 }, $set: { claim: 'another' } })
}

async function superseded (): Promise<number> {
  const text = await app.metrics.getSingleMetricAsString('switchyard_jobs_superseded_total')
  return Number(/switchyard_jobs_superseded_total\{[^}]*\} (\d+)/.exec(text)?.[1] ?? 0)
}

for (const how of Object.keys(writes)) {
  t.test(`${how} of a start whose run is another one's`, async (t) => {
    const before = await superseded()
    const id = await addOne(app, late, { how })
    await until('it said what it has to', async () => await superseded() > before || said.get(id) !== undefined)
    const isOutcome = how === 'result' || how === 'failure'
    t.equal(said.get(id), isOutcome ? undefined : 'superseded')
    if (isOutcome) t.equal(await superseded(), before + 1, 'dropped and counted')
    t.match(await rowOf(id), { state: 'running', claim: 'another', fence: 2, attempt: 0 })
    t.same((await rowOf(id))?.attempts, [], 'no attempt is noted')
    t.notOk((await rowOf(id))?.result)
    t.equal(await app.db.collection('test.effects').countDocuments(), 0)
    t.equal(await runs(app).countDocuments({ 'cause.id': id }), 0, 'and nothing is spawned')
    t.equal(await app.db.collection('jobs.letters').countDocuments(), 0)
  })
}

t.test('every write of the store matches the fence and the claim', async (t) => {
  const claims = createClaimRepository(app.db)
  const id = await addOne(app, late, { how: 'none' })
  await until('another one has it', async () => (await rowOf(id))?.claim === 'another')
  const there = await rowOf(id)
  t.match(there, { claim: 'another', fence: 2 })
  const now = app.clock.now()
  const attempt = { fence: 1, startedAt: now, endedAt: now, outcome: 'failed', class: 'bug', code: 'x', message: '' }
  const letter = { _id: 'x', runId: id, class: 'bug', code: 'x', message: '', failedAt: now } as Letter
  const outcomes: Outcome[] = [
    { kind: 'done' }, { kind: 'done', result: 1 }, { kind: 'ended', state: 'expired' },
    { kind: 'again', runAt: now, isCounted: true, isConflict: false, attempt: undefined }
  ]
  const strangers: StartKey[] = [{ id, fence: 1, claim: 'another' }, { id, fence: 2, claim: 'mine' }]
  for (const key of strangers) {
    t.equal(await app.tx(async (session) => await claims.finish(session, key, 1, now)), false)
    t.equal(await app.tx(async (session) => await claims.touch(session, key, now)), false)
    t.equal(await app.tx(async (session) => await claims.bury(session, key, letter, attempt as never)), false)
    t.equal(await claims.setStep(key, 's', 1, now), false)
    t.equal(await claims.setProgress(key, { done: 1 }, now), false)
    for (const outcome of outcomes) t.equal(await claims.end([{ key, outcome }], now), 1)
    t.equal(await claims.standing(key), 'gone')
  }
  t.same(await rowOf(id), there, 'nothing has changed')
  t.equal(await claims.end([{ key: { id, fence: 2, claim: 'another' }, outcome: { kind: 'done' } }], now), 0)
  t.match(await rowOf(id), { state: 'done' }, 'the one that has it may')
})
