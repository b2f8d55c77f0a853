import fastifyMongo from '@fastify/mongodb'
import fp from 'fastify-plugin'
import { MongoClient, type ClientSession, type Db } from 'mongodb'
import { uuidv7, type Clock, type ProcessId, type Tx } from '../src/kernel/index.ts'
import { createProcessRepository, processCollections } from '../src/system/index.ts'
import { createServerClock } from './mongo/clock.ts'
import { hostId, thisProcess } from './mongo/process-id.ts'
import { createProcesses, type Processes } from './mongo/processes.ts'
import { fingerprintOf, keyOf, type SchemaRow } from './mongo/schema.ts'
import { createSessionPool } from './mongo/sessions.ts'
import { createTx } from './mongo/tx.ts'

export interface MongoOptions {
  url: string
  database: string
  role: string
  offline?: boolean
  /** Name of this host; tests give another one to play a second machine. */
  host?: string
}

declare module '../src/kernel/tx.ts' {
  interface SessionTypes { session: ClientSession }
}

declare module '../src/kernel/invariants.ts' {
  interface StoreTypes { store: Db }
}

declare module 'fastify' {
  interface FastifyInstance {
    db: Db
    tx: Tx
    clock: Clock
    processId: ProcessId
    processes: Processes
  }
}

export default fp<MongoOptions>(async function mongo (app, { url, database, role, offline = false, host = hostId() }) {
  const client = new MongoClient(url, { serverSelectionTimeoutMS: 7500, ignoreUndefined: true, appName: 'switchyard' })
  if (!offline) await reach(client, url)
  await app.register(fastifyMongo, { client, database, url })
  const db = client.db(database)
  const self = thisProcess(host)
  const clock = createServerClock(db)
  const pool = createSessionPool(client, async () => { await processes.see() })
  const processes = createProcesses({
    id: uuidv7(), self, role, clock, processes: createProcessRepository(db), sessions: pool.ids
  })
  app.declare({ domain: 'system', collections: processCollections })
  app.decorate('db', db)
  app.decorate('clock', clock)
  app.decorate('processId', self)
  app.decorate('processes', processes)
  app.decorate('tx', createTx(pool.use, app.log))
  app.healthChecks.add({
    name: 'mongo', critical: true, timeoutMs: 500, check: async () => await db.command({ ping: 1 })
  })
  if (offline) return

  await clock.sync()
  await processes.see()
  await processes.killDead()
  clock.start()
  processes.start((err) => { app.log.warn({ err }, 'this process could not be written down') })
  app.addHook('onReady', async () => { await checkSchema(db, [...app.registry.collections.values()]) })
  app.addHook('onClose', async () => {
    clock.stop()
    await pool.close().finally(async () => { await processes.close() }).finally(async () => { await client.close() })
  })
}, { name: 'mongo', dependencies: ['telemetry', 'errors'] })

async function reach (client: MongoClient, url: string): Promise<void> {
  try {
    await client.connect()
    await client.db('admin').command({ ping: 1 })
  } catch (cause) {
    await client.close()
    throw new Error(
      `MONGO_URL: no MongoDB replica set answers at ${hostsOf(url)}. Start one, or correct the variable.`, { cause }
    )
  }
}

/** The hosts of a connection string, without user and password. */
function hostsOf (url: string): string {
  return /^[^/]+\/\/(?:[^@/]*@)?([^/?]*)/.exec(url)?.[1] ?? 'the given address'
}

type Wanted = Parameters<typeof fingerprintOf>[0]

async function checkSchema (db: Db, wanted: readonly Wanted[]): Promise<void> {
  const row = await db.collection<SchemaRow>('sys.meta').findOne({ _id: 'schema' })
  const late = wanted.filter((one) => row?.collections[keyOf(one.name)] !== fingerprintOf(one))
  if (late.length === 0) return
  const names = late.slice(0, 3).map(({ name }) => name).join(', ')
  const more = late.length > 3 ? ` and ${late.length - 3} more` : ''
  throw new Error(`The database is not on the schema of this version (${names}${more}): run npm run migrate.`)
}
