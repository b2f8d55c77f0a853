// The product whole with data of a test beside its own: what stands in the timetable is tried on it.
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { FastifyInstance } from 'fastify'
import { MongoClient } from 'mongodb'
import { Type } from 'typebox'
import { buildApp, migrate } from '../../plugins/index.ts'
import { loadConfig, type EnvName } from '../../src/config/index.ts'
import {
  defineEvent, defineInvariant, defineProjection, defineReport, defineRetention, type Declarations, type JobDefinition
} from '../../src/kernel/index.ts'
import { testEnvironment, withoutTimetable } from '../helper.ts'
import { dropPlace, until } from './rig.ts'

const closed = { additionalProperties: false }
const Move = Type.Object({ n: Type.Integer() }, closed)

export const deposited = defineEvent({ name: 'test.purse.deposited', data: Move, keepDays: 'forever' })
export const spent = defineEvent({ name: 'test.purse.spent', data: Move, keepDays: 'forever' })

/** What a purse holds and how often it was opened: the fold of its events. */
export function applyMove (state: { sum: number, moves: number } | null, event: { type: string, data: unknown }) {
  const { n } = event.data as { n: number }
  return { sum: (state?.sum ?? 0) + (event.type === spent.name ? -n : n), moves: (state?.moves ?? 0) + 1 }
}

export const purses = (version: number) => defineProjection<{ sum: number, moves: number }>({
  name: 'test.purses', version, events: [deposited, spent], apply: applyMove
})

export const oldNotes = defineRetention({
  name: 'test.old-notes', collection: 'test.notes', where: { kind: { $in: ['draft'] } }, age: { field: 'at', days: 30 },
  batch: 1000
})
export const oldPapers = defineRetention({
  name: 'test.old-papers', collection: 'test.papers', age: { field: 'at', days: 30 }, mode: 'archive', batch: 50
})
/** Broken by one document of a test. */
export const noBadNotes = defineInvariant({
  name: 'test.no-bad-notes',
  check: async (store) => (await store.collection('test.notes').find({ kind: 'bad' }).limit(20).toArray())
    .map(({ _id }) => `note ${String(_id)} is bad`)
})

/** Rows of the report of a day; a test changes them. */
export const sheet: { rows: Array<Record<string, string | number | null>> } = { rows: [] }
export const sheetReport = defineReport({
  name: 'test.sheet',
  title: 'A sheet',
  period: 'day',
  columns: [{ key: 'who', title: 'Who' }, { key: 'n' }],
  async * rows () { yield * sheet.rows }
})

export function declarations (version = 1): Omit<Declarations, 'domain'> {
  return {
    events: [deposited, spent],
    projections: [purses(version)],
    retentions: [oldNotes, oldPapers],
    invariants: [noBadNotes],
    reports: [sheetReport],
    collections: [
      { name: 'test.purses', indexes: [{ name: 'workspace', keys: { workspaceId: 1, _id: 1 } }] },
      { name: 'test.notes', indexes: [{ name: 'at', keys: { at: 1 } }] },
      { name: 'test.papers', indexes: [] }
    ]
  }
}

export type Environment = ReturnType<typeof testEnvironment>

export function newEnvironment (changes: Partial<Record<EnvName, string>> = {}): Environment {
  const dir = mkdtempSync(join(tmpdir(), 'switchyard-standing-'))
  return testEnvironment({
    DATA_DIR: dir,
    BACKUP_STORE: join(dir, 'target'),
    BACKUP_KEY: randomBytes(32).toString('hex'),
    LOG_DIR: dir,
    ...changes
  })
}

export async function open (
  environment: Environment, { role = 'worker', version = 1 }: { role?: 'server' | 'worker', version?: number } = {}
): Promise<FastifyInstance> {
  const config = loadConfig(environment)
  const app = await buildApp({ role, config })
  app.declare({ domain: 'test', ...declarations(version) })
  await app.after()
  withoutTimetable(app)
  await migrate(config.mongo, app.registry.collections.values())
  await app.ready()
  return app
}

export async function dropEnvironment (environment: Environment): Promise<void> {
  const { MONGO_URL: mongoUrl = '', REDIS_URL: redisUrl = '', MONGO_DB: name = '', DATA_DIR: dir = '' } = environment
  await dropPlace({ mongoUrl, redisUrl, name })
  const client = new MongoClient(mongoUrl)
  const { databases } = await client.db('admin').admin().listDatabases({ nameOnly: true })
  for (const one of databases) if (one.name.startsWith(`${name}_proof_`)) await client.db(one.name).dropDatabase()
  await client.close()
  rmSync(dir, { recursive: true, force: true })
}

interface Ended { state: string, result?: Record<string, unknown>, error?: { code: string } }

/** Adds a run and waits for its end. */
export async function runJob (
  app: FastifyInstance, job: JobDefinition, data: object, withinMs = 60_000
): Promise<Ended> {
  const { id } = await app.tx(async (session) => await app.jobs.add(session, job, data, { workspaceId: '' }))
  return await ended(app, id, withinMs)
}

export async function ended (app: FastifyInstance, id: string, withinMs = 60_000): Promise<Ended> {
  const runs = app.db.collection<Ended & { _id: string }>('jobs.runs')
  let found: Ended | null = null
  await until(`run ${id} ends`, async () => {
    found = await runs.findOne({ _id: id, state: { $in: ['done', 'dead', 'cancelled', 'expired'] } })
    return found !== null
  }, withinMs)
  return found as unknown as Ended
}

/** Events of a purse, in one transaction each. */
export async function move (app: FastifyInstance, workspaceId: string, id: string, version: number, n: number) {
  await app.tx(async (session) => {
    await app.events.emit(
      session, n < 0 ? spent : deposited, { n: Math.abs(n) }, { type: 'purse', id, version }, { workspaceId })
  })
}
