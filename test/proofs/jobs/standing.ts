// P26: a projection is built anew under writes. P27: backup, wipe, restore, damage. P28: retention, killed twice.
import { fork, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { FastifyInstance } from 'fastify'
import type { Proofs } from '../../../bin/proof.ts'
import {
  backUpDatabase, clearRecords, createDumpRepository, proveBackup, rebuildProjection
} from '../../../src/jobs/index.ts'
import { createDigest } from '../../../src/jobs/backup/digest.ts'
import { until } from '../../jobs/rig.ts'
import {
  applyMove, deposited, dropEnvironment, ended, move, newEnvironment, open, runJob, spent, type Environment
} from '../../jobs/standing-stage.ts'

const longMs = 540_000
const dayMs = 86_400_000
const root = join(import.meta.dirname, '../../..')
const workspaceId = 'w1'

export const proofs: Proofs = {
  async P26 ({ rounds = 1, say }) {
    const events = 100_000
    for (let round = 1; round <= rounds; round++) {
      await withProduct(async (app, environment) => {
        await fillLog(app, events)
        say(`${events} events in the log`)
        const state = { isOver: false, written: 0, reads: 0, errors: 0 }
        const others = [writer(app, state), reader(app, state)]
        const worker = await open(environment)
        const { state: end } = await runJob(worker, rebuildProjection, { name: 'test.purses', version: 1 }, longMs)
        state.isOver = true
        await Promise.all(others)
        await until('all is applied', async () => await app.db.collection('jobs.runs')
          .countDocuments({ name: /^test\.project/, state: { $in: ['pending', 'published', 'running'] } }) === 0, longMs)
        await worker.close()
        hold(end === 'done', `the rebuild ended ${end}`)
        hold(state.errors === 0, `${state.errors} of ${state.reads} reads failed`)
        hold(state.written > 0, 'nothing was written meanwhile')
        await compareWithFold(app)
        say(`${state.written} events written and ${state.reads} reads meanwhile`)
      }, 'server')
    }
    return `${events} events, equal to the fold, 0 reader errors`
  },

  async P27 ({ say }) {
    return await withProduct(async (app, environment) => {
      await app.db.collection('test.notes').insertMany(Array.from({ length: 200_000 }, (_, i) =>
        ({ kind: 'final', at: new Date(), n: i, text: `note ${i * 7919 % 1_000_003}` })))
      const before = await digests(app)
      const { result } = await runJob(app, backUpDatabase, {}, longMs)
      const id = String(result?.['backupId'])
      hold((await runJob(app, proveBackup, { backupId: id }, longMs)).result?.['isProven'] === true, 'not proven')
      say(`backup ${id} is proven`)
      await app.close()
      await wipe(environment)
      restore(environment, id)
      const again = await open(environment, { role: 'server' })
      const after = await digests(again)
      await again.close()
      for (const name of before.keys()) {
        hold(before.get(name) === after.get(name), `${name} came back differently`)
      }
      say(`${before.size} collections wiped and restored`)
      const worker = await open(environment)
      try {
        const damages = await damage(worker, environment, id)
        return `${before.size} collections equal, ${damages} damages found, 0 proven`
      } finally {
        await worker.close()
      }
    })
  },

  async P28 ({ say }) {
    const rows = 1_000_000
    return await withProduct(async (app, environment) => {
      await fillNotes(app, rows)
      const notes = app.db.collection('test.notes')
      const due = await notes.countDocuments({ kind: 'draft', at: { $lt: new Date(Date.now() - 30 * dayMs) } })
      say(`${rows} rows, ${due} of them old`)
      const { id } = await app.tx(async (session) => await app.jobs.add(
        session, clearRecords, { isDryRun: false }, { workspaceId: '' }))
      for (const part of [0.3, 0.6]) {
        const worker = await startWorker(environment)
        await until('it gets on', async () => await notes.countDocuments() < rows - due * part, longMs)
        worker.kill('SIGKILL')
        await once(worker, 'exit')
        say(`killed at ${rows - await notes.countDocuments()} gone`)
      }
      const worker = await startWorker(environment)
      const { state, result } = await ended(app, id, longMs)
      worker.kill('SIGTERM')
      await once(worker, 'exit')
      const counted = (result as { rules: Array<{ name: string, count: number }> }).rules
        .find(({ name }) => name === 'test.old-notes')?.count
      const left = await notes.countDocuments()
      const wrong = await notes.countDocuments({ kind: 'draft', tag: 'old' })
      hold(state === 'done' && counted === due, `it ended ${state} and counted ${counted} of ${due}`)
      hold(left === rows - due && wrong === 0, `${left} rows are left, ${wrong} of them old`)
      return `${due} of ${rows} rows gone, 2 kills, counted exactly`
    }, 'server')
  }
}

function hold (isTrue: boolean, otherwise: string): void {
  if (!isTrue) throw new Error(otherwise)
}

async function withProduct<T> (
  work: (app: FastifyInstance, environment: Environment) => Promise<T>, role: 'server' | 'worker' = 'worker'
): Promise<T> {
  const environment = newEnvironment()
  const app = await open(environment, { role })
  try {
    return await work(app, environment)
  } finally {
    await app.close().catch(() => {})
    await dropEnvironment(environment)
  }
}

async function startWorker (environment: Environment): Promise<ChildProcess> {
  const child = fork(join(import.meta.dirname, 'standing-worker.ts'), [JSON.stringify(environment)],
    { execArgv: ['--disable-warning=ExperimentalWarning'], stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
  await once(child, 'message')
  return child
}

/** Events of a thousand purses as their emission leaves them, without the runs of their subscribers. */
async function fillLog (app: FastifyInstance, count: number): Promise<void> {
  const rows = app.db.collection<{ _id: string }>('jobs.events')
  const per = 10_000
  for (let from = 0; from < count; from += per) {
    await rows.insertMany(Array.from({ length: per }, (_, i) => {
      const n = from + i
      const at = new Date(Date.now() - 3_600_000)
      return {
        _id: `01900000-0000-7000-8000-${String(n).padStart(12, '0')}`,
        workspaceId,
        type: n % 3 === 0 ? spent.name : deposited.name,
        v: 1,
        subject: { type: 'purse', id: `p${n % 1000}`, version: Math.floor(n / 1000) + 1 },
        data: { n: n % 17 },
        at,
        subscribers: []
      }
    }))
  }
}

interface Meanwhile { isOver: boolean, written: number, reads: number, errors: number }

async function writer (app: FastifyInstance, state: Meanwhile): Promise<void> {
  for (let i = 0; !state.isOver; i++) {
    // The next version of each purse in turn; a hundred of them, again and again.
    await move(app, workspaceId, `p${i % 100}`, 101 + Math.floor(i / 100), i % 2 === 0 ? 3 : -2)
    state.written++
  }
}

async function reader (app: FastifyInstance, state: Meanwhile): Promise<void> {
  while (!state.isOver) {
    try {
      await app.projections.list('test.purses', workspaceId, { limit: 100 })
    } catch { state.errors++ }
    state.reads++
  }
}

async function compareWithFold (app: FastifyInstance): Promise<void> {
  const folded = new Map<string, { sum: number, moves: number }>()
  const log = app.db.collection('jobs.events').find({ type: { $in: [deposited.name, spent.name] } })
    .sort({ 'subject.id': 1, 'subject.version': 1 }).allowDiskUse()
  for await (const event of log) {
    const id = String(event['subject'].id)
    folded.set(id, applyMove(folded.get(id) ?? null, { type: String(event['type']), data: event['data'] }))
  }
  let rows = 0
  for (let after: string | undefined; ;) {
    const page = await app.projections.list(
      'test.purses', workspaceId, { limit: 100, ...(after === undefined ? {} : { after }) })
    for (const { subjectId, state } of page) {
      hold(JSON.stringify(state) === JSON.stringify(folded.get(subjectId)), `${subjectId} is not the fold`)
    }
    rows += page.length
    after = page.at(-1)?.subjectId
    if (page.length < 100) break
  }
  hold(rows === folded.size, `${rows} rows of ${folded.size} subjects`)
}

/** Digest of every collection that stands still here. */
async function digests (app: FastifyInstance): Promise<Map<string, string>> {
  const dump = createDumpRepository(app.db)
  const found = new Map<string, string>()
  for (const shape of await dump.shapes()) {
    if (/^(sys|jobs|analytics)\./.test(shape.name)) continue
    const digest = createDigest()
    for await (const batch of dump.now(shape)) for (const document of batch) digest.add(document)
    found.set(shape.name, `${digest.count} ${digest.value()} ${JSON.stringify([shape.options, shape.indexes])}`)
  }
  return found
}

async function wipe ({ MONGO_URL: url = '', MONGO_DB: name = '' }: Environment): Promise<void> {
  const { MongoClient } = await import('mongodb')
  const client = new MongoClient(url)
  await client.db(name).dropDatabase()
  await client.close()
}

function restore (environment: Environment, id: string): void {
  const { status, stderr } = spawnSync(
    process.execPath, ['--disable-warning=ExperimentalWarning', 'bin/restore.ts', id],
    { cwd: root, env: { ...process.env, ...environment }, encoding: 'utf8' })
  hold(status === 0, `the restore failed: ${stderr}`)
}

const frameBytes = 1024 * 1024 + 20

/** A flipped byte here and there, and a frame that is not there. */
async function damage (worker: FastifyInstance, environment: Environment, id: string): Promise<number> {
  const { BACKUP_STORE: dir = '', MONGO_DB: name = '' } = environment
  const file = join(dir, name, id, 'test.notes.bson.gz.sealed')
  const whole = readFileSync(file)
  const damages = [60, Math.floor(whole.length / 2), whole.length - 1].map((at) => {
    const other = Buffer.from(whole)
    other[at] = (other[at] ?? 0) ^ 1
    return other
  })
  damages.push(Buffer.concat([whole.subarray(0, 40), whole.subarray(40 + frameBytes)]))
  for (const [index, bytes] of damages.entries()) {
    writeFileSync(file, bytes)
    const { state, result, error } = await runJob(worker, proveBackup, { backupId: id }, longMs)
    hold(result?.['isProven'] === false, `damage ${index} ended ${state} ${JSON.stringify(error ?? result)}`)
  }
  writeFileSync(file, whole)
  const { result } = await runJob(worker, proveBackup, { backupId: id }, longMs)
  hold(result?.['isProven'] === true, 'what is whole again is not proven')
  return damages.length
}

async function fillNotes (app: FastifyInstance, count: number): Promise<void> {
  const old = new Date(Date.now() - 40 * dayMs)
  const per = 20_000
  for (let from = 0; from < count; from += per) {
    await app.db.collection('test.notes').insertMany(Array.from({ length: per }, (_, i) => {
      const isOld = (from + i) % 5 < 3
      const isDraft = (from + i) % 2 === 0
      return {
        kind: isDraft ? 'draft' : 'final', at: isOld ? old : new Date(), ...(isOld ? { tag: 'old' } : {}), n: from + i
      }
    }), { ordered: false })
  }
}
