// What is measured of the work, and that the rules of Prometheus in deploy/alerts can see it.
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import { Type } from 'typebox'
import { createMeasure } from '../../plugins/queue/watching.ts'
import { createLoadRepository } from '../../src/jobs/index.ts'
import { defineErrors, defineJob, uuidv7 } from '../../src/kernel/index.ts'
import { dropPlace, newPlace, rig, until, type RigOptions } from './rig.ts'

const dayMs = 86_400_000
const TestError = defineErrors('test', { wrong: { kind: 'conflict', message: 'It is wrong.' } })
const stumble = defineJob({
  name: 'test.stumble',
  queue: 'fast',
  data: Type.Object({ n: Type.Integer(), isDeadly: Type.Boolean() }, { additionalProperties: false })
})
const warm = defineJob({
  name: 'test.warm-cache', queue: 'notify', data: Type.Object({}, { additionalProperties: false }), lossy: true
})
const declared = { jobs: [stumble, warm] }

function bind (app: FastifyInstance): void {
  app.handleJob(stumble, async ({ run: { data: { isDeadly } }, attempt }) => {
    if (isDeadly) throw TestError.wrong()
    if (attempt === 0) throw Object.assign(new Error('reset'), { code: 'ECONNRESET' })
  })
  app.handleJob(warm, async () => undefined)
}

async function start (t: Test, options: Omit<RigOptions, 'place'>): Promise<FastifyInstance> {
  const place = newPlace()
  const app = await rig({ place, declared, ...options.role === 'server' ? {} : { bind }, ...options })
  t.teardown(async () => {
    await app.close()
    await dropPlace(place)
  })
  return app
}

/** Values by label, of the name without its prefix; the role is in every one of them. */
async function valuesOf ({ metrics }: FastifyInstance, name: string): Promise<Record<string, number>> {
  const text = await metrics.getSingleMetricAsString(`switchyard_jobs_${name}`)
  return Object.fromEntries([...text.matchAll(/^switchyard_jobs_[a-z_]+(?:\{(.*)\})? (\S+)$/gm)].map(
    ([, labels = '', value]) => [labels.replace(/,?role="[a-z]+"/, ''), Number(value)]))
}

const add = async ({ tx, jobs }: FastifyInstance, items: ReadonlyArray<{ n: number, isDeadly: boolean }>) =>
  await tx(async (session) => await jobs.addMany(
    session, stumble, items.map((data) => ({ data, options: { workspaceId: 'w' } }))))

t.test('what nobody knows has no value: no backup was proven, no letter is open, another one watches', async (t) => {
  const app = await start(t, { role: 'server' })
  const { measure, clear } = createMeasure(app)
  const known = ['letters_open', 'letters_oldest_seconds', 'backup_proven_age_seconds', 'backup_failed']
  const values = async () => Object.fromEntries(await Promise.all(known.map(async (name) =>
    [name, (await valuesOf(app, name))['']])))
  const nothing = Object.fromEntries(known.map((name) => [name, undefined]))
  t.same(await values(), nothing, 'before it looked')
  await measure()
  t.same(await values(), { ...nothing, letters_open: 0 })

  const ago = (ms: number) => new Date(app.clock.ms() - ms)
  const backup = (state: string, ms: number) => ({
    _id: uuidv7(app.clock.ms() - ms), state, startedAt: ago(ms), ...(state === 'begun' ? {} : { endedAt: ago(ms) })
  })
  const backups = app.db.collection<{ _id: string }>('jobs.backups')
  await backups.insertMany([backup('proven', 9 * dayMs), backup('failed', 2 * dayMs)])
  await app.db.collection<{ _id: string }>('jobs.letters').insertMany([
    { _id: 'a', state: 'open', failedAt: ago(2 * dayMs) }, { _id: 'b', state: 'open', failedAt: ago(1000) },
    { _id: 'c', state: 'discarded', failedAt: ago(9 * dayMs) }
  ] as never[])
  // As it stands from its first moment, before it ends.
  await backups.insertOne({ ...backup('begun', 0), state: 'failed' } as never)
  await measure()
  const then = await values()
  t.match(then, { letters_open: 2, backup_failed: 1 }, 'the one at work has not failed yet')
  t.equal(Math.round((then['backup_proven_age_seconds'] ?? 0) / 86_400), 9)
  t.equal(Math.round((then['letters_oldest_seconds'] ?? 0) / 86_400), 2, 'what is closed is not old')
  await backups.insertOne(backup('written', 0))
  await measure()
  t.match(await values(), { backup_failed: 0 }, 'a later one went well')
  clear()
  t.same(await values(), nothing, 'another process has the lease')
})

t.test('the oldest open letter is one step of an index', async (t) => {
  const app = await start(t, { role: 'server' })
  await app.db.collection('jobs.letters').insertMany(Array.from({ length: 500 }, (_, n) => (
    { state: n % 2 === 0 ? 'open' : 'discarded', failedAt: new Date(1_000_000 - n) })))
  await app.db.command({ profile: 2 })
  t.same(await createLoadRepository(app.db).oldestLetterAt(), new Date(1_000_000 - 498))
  await app.db.command({ profile: 0 })
  const asked = await app.db.collection('system.profile')
    .find({ ns: `${app.db.databaseName}.jobs.letters`, op: 'query' }).toArray()
  t.match(asked, [{ keysExamined: 1, docsExamined: 1 }])
})

t.test('a run that something holds is not late, however long it waits', async (t) => {
  const app = await start(t, { role: 'server' })
  const { now } = app.clock
  const runs = app.db.collection<{ _id: string }>('jobs.runs')
  const lag = app.healthChecks.list().find(({ name }) => name === 'outbox')
  const pending = (heldBy: string | null, n: number) => ({
    state: 'pending', queue: 'mail', lane: 'bulk', workspaceId: `w${n % 20}`, heldBy,
    runAt: new Date(now().getTime() - 3_600_000 + n), slot: n % 1024
  })
  const held = ['paused', 'target', 'resource', 'no_worker', 'serial']
  await runs.insertMany(Array.from({ length: 2000 }, (_, n) => pending(held[n % held.length] ?? null, n)) as never[])
  await lag?.check()
  t.same(await valuesOf(app, 'lag_seconds'), { '': 0 })
  await createMeasure(app).measure()
  t.same(await valuesOf(app, 'held'), Object.fromEntries(held.map((reason) =>
    [`queue="mail",lane="bulk",reason="${reason}"`, 400])))

  await runs.insertOne({ ...pending(null, 7), runAt: new Date(now().getTime() - 90_000) } as never)
  await app.db.command({ profile: 2 })
  await t.rejects(lag?.check() ?? Promise.resolve(), /waits since 9\d s/)
  await app.db.command({ profile: 0 })
  t.equal(Math.floor(((await valuesOf(app, 'lag_seconds'))[''] ?? 0) / 10), 9)
  const asked = await app.db.collection('system.profile').find({ ns: `${app.db.databaseName}.jobs.runs` }).toArray()
  t.same(asked.map(({ keysExamined }) => keysExamined), [1, 1, 20],
    'the oldest one, the queues, the lanes of the only one: a step for each workspace, not for each run')
  t.ok(asked.every(({ planSummary }) => /^(IXSCAN { runAt|DISTINCT_SCAN)/.test(planSummary)))
  t.ok(asked.every(({ docsExamined }) => docsExamined <= 1))

  await runs.insertOne({ ...pending(null, 8), runAt: new Date(now().getTime() - 7_200_000) } as never)
  await app.db.collection('system.profile').drop()
  await app.db.command({ profile: 2 })
  await t.rejects(lag?.check() ?? Promise.resolve(), /waits since 72\d\d s/)
  await app.db.command({ profile: 0 })
  t.match(await app.db.collection('system.profile').find({ ns: `${app.db.databaseName}.jobs.runs` }).toArray(),
    [{ keysExamined: 1, docsExamined: 1 }], 'one step where it is the oldest of all')
})

t.test('a canary that did not come back is seen, by queue', async (t) => {
  const app = await start(t, { role: 'server' })
  const { measure } = createMeasure(app)
  const canary = (queue: string, state: string, ms: number) => ({
    _id: uuidv7(app.clock.ms() - ms), workspaceId: '', name: 'jobs.run-canary', key: `canary:${queue}`, queue, state,
    createdAt: new Date(app.clock.ms() - ms)
  })
  await app.db.collection<{ _id: string }>('jobs.runs').insertMany([
    canary('fast', 'done', 200_000), canary('mail', 'published', 130_000), canary('bulk', 'pending', 110_000)
  ])
  await measure()
  t.same(await valuesOf(app, 'canary_missed'), { 'queue="fast"': 0, 'queue="mail"': 1, 'queue="bulk"': 0 })
})

t.test('a death counts once, a new kind of them too, and a retry that succeeds not at all', async (t) => {
  const app = await start(t, {})
  t.same(await valuesOf(app, 'letter_groups_total'), { '': 0 })
  await add(app, [{ n: 1, isDeadly: false }, { n: 2, isDeadly: true }])
  const ended = (state: string) => async () => await app.db.collection('jobs.runs').countDocuments(
    { name: stumble.name, state }) > 0
  await until('dead', ended('dead'))
  await until('done after a retry', ended('done'), 30_000)
  const dead = await valuesOf(app, 'dead_total')
  t.equal(dead['queue="fast",class="permanent"'], 1)
  t.equal(dead['queue="fast",class="transient"'], 0, 'told before the first')
  t.match(await valuesOf(app, 'outcomes_total'), { 'queue="fast",lane="default",class="transient"': 1 })
  await add(app, [{ n: 3, isDeadly: true }])
  await until('both', async () => (await valuesOf(app, 'dead_total'))['queue="fast",class="permanent"'] === 2)
  t.same(await valuesOf(app, 'letter_groups_total'), { '': 1 }, 'the second is of a kind that is open already')
})

t.test('what arrives is counted once, however often it starts and whatever its way', async (t) => {
  const app = await start(t, {})
  const { tx, jobs } = app
  const data = { n: 1, isDeadly: false }
  const options = { workspaceId: 'w' }
  const twice = async (more: object) => await tx(async (session) => {
    for (const n of [1, 2]) await jobs.add(session, stumble, { ...data, n }, { ...options, ...more })
  })
  await tx(async (session) => await jobs.add(session, stumble, data, { ...options, key: 'once' }))
  await tx(async (session) => await jobs.add(session, stumble, data, { ...options, key: 'once' }))
  await twice({ lane: 'interactive' })
  await twice({ lane: 'bulk', dedupe: { key: 'one', mode: 'latest' }, runAt: new Date(Date.now() + 3_600_000) })
  await t.rejects(tx(async (session) => {
    await jobs.add(session, stumble, data, options)
    throw new Error('not committed')
  }))
  const counts = (lanes: object) => Object.fromEntries(Object.entries(lanes).map(([lane, count]) =>
    [`queue="fast",lane="${lane}"`, count]))
  const ofFast = async (name: string) => Object.fromEntries(
    Object.entries(await valuesOf(app, name)).filter(([labels]) => labels.includes('fast')))
  t.same(await ofFast('arrivals_total'), counts({ default: 1, interactive: 2, bulk: 1 }))
  await until('each has succeeded after a retry', async () => await app.db.collection('jobs.runs')
    .countDocuments({ name: stumble.name, state: 'done' }) === 3, 30_000)
  t.same(await ofFast('starts_total'), counts({ default: 2, interactive: 4 }))
  t.same(await ofFast('arrivals_total'), counts({ default: 1, interactive: 2, bulk: 1 }), 'a release is no arrival')

  for (const lane of ['interactive', 'default', 'bulk'] as const) await jobs.addNow(warm, {}, { ...options, lane })
  const lossy = Object.fromEntries(['interactive', 'default', 'bulk'].map((lane) =>
    [`queue="notify",lane="${lane}",class="done"`, 1]))
  await until('the lossy ones have ended', async () => Object.keys(await valuesOf(app, 'outcomes_total'))
    .filter((labels) => labels.includes('notify')).length === 3)
  t.match(await valuesOf(app, 'outcomes_total'), lossy)
})

t.test('a worker that keeps says once that it has no key for backups', async (t) => {
  for (const [groups, count] of [[['keeper'], 1], [['io'], 0]] as const) {
    const lines: string[] = []
    await start(t, { groups, logLevel: 'warn', stream: { write (line) { lines.push(line) } } })
    t.equal(lines.filter((line) => line.includes('BACKUP_KEY')).length, count)
  }
})

t.test('no rule asks for a figure or a label that a worker does not have', async (t) => {
  const { metrics } = await start(t, {})
  const folder = join(import.meta.dirname, '../../deploy/alerts')
  const rules = globSync('*.yml', { cwd: folder }).map((file) => readFileSync(join(folder, file), 'utf8')).join('\n')
  const docs = readFileSync(join(import.meta.dirname, '../../docs/jobs.md'), 'utf8')
  const asked = new Set([...rules.matchAll(/switchyard_[a-z_]+?(?=_bucket\b|[^a-z_])/g)].map(([name]) => name))
  t.ok(asked.size > 12)
  const missing = [...asked].filter((name) => metrics.getSingleMetric(name) === undefined)
  t.same(missing, [])
  for (const rule of rules.split(/^ +- alert: /m).slice(1)) {
    const [name = ''] = rule.split('\n', 1)
    const labels = new Set([...rule.matchAll(/switchyard_[a-z_]+?(?=_bucket\b|[^a-z_])/g)].flatMap(([metric]) =>
      (metrics.getSingleMetric(metric) as unknown as { labelNames: string[] }).labelNames))
    const used = [
      ...rule.matchAll(/by \((\w+)\)/g), ...rule.matchAll(/[{,](\w+)=/g), ...rule.matchAll(/\$labels\.(\w+)/g)
    ].flatMap(([, label]) => label === undefined || label === 'le' ? [] : [label])
    t.same(used.filter((label) => !labels.has(label)), [], name)
    t.ok(docs.includes(`| \`${name}\` |`), `docs/jobs.md says what ${name} means`)
  }
})
