import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { MongoClient, MongoServerError, type Db } from 'mongodb'
import type { Store } from './store.ts'

const setName = 'rs0'
const notYetInitialized = 94

/** A replica set of one node on loopback. */
export function mongoStore (binary: string, root: string, port: number): Store {
  const dir = join(root, 'mongo')
  mkdirSync(dir, { recursive: true, mode: 0o700 })
  return {
    name: 'MongoDB',
    port,
    url: `mongodb://127.0.0.1:${port}/?replicaSet=${setName}`,
    dir,
    log: join(root, 'mongo.log'),
    command: [
      binary, '--dbpath', dir, '--port', String(port), '--bind_ip', '127.0.0.1', '--replSet', setName, '--quiet',
      '--oplogSize', '1024', '--wiredTigerCacheSizeGB', '0.5', '--nounixsocket',
      '--setParameter', 'minSnapshotHistoryWindowInSeconds=3600',
      '--setParameter', 'transactionLifetimeLimitSeconds=15',
      // Each collection and index is a file. Those of a database that was dropped stay open so long, by default ten
      // minutes and in newer versions for ever: tests that make hundreds of databases run out of handles.
      '--setParameter', 'wiredTigerFileHandleCloseIdleTime=60'
    ],
    isReady: async () => await isPrimary(port)
  }
}

async function isPrimary (port: number): Promise<boolean> {
  const client = new MongoClient(`mongodb://127.0.0.1:${port}/`, {
    directConnection: true, serverSelectionTimeoutMS: 500
  })
  try {
    const admin = client.db('admin')
    const hello = await admin.command({ hello: 1 })
    if (hello['isWritablePrimary'] === true) return true
    await lead(admin, `127.0.0.1:${port}`)
    return false
  } finally {
    await client.close()
  }
}

/** Makes the node lead its set: a new folder has no set yet, and a node on another port does not find itself. */
async function lead (admin: Db, host: string): Promise<void> {
  const config = await readConfig(admin)
  if (config === undefined) {
    await admin.command({ replSetInitiate: { _id: setName, members: [{ _id: 0, host }] } })
    return
  }
  if (config.members[0]?.host === host) return
  await admin.command({
    replSetReconfig: { ...config, version: config.version + 1, members: [{ _id: 0, host }] }, force: true
  })
}

interface SetConfig { version: number, members: { _id: number, host: string }[] }

async function readConfig (admin: Db): Promise<SetConfig | undefined> {
  try {
    const { config } = await admin.command({ replSetGetConfig: 1 }) as { config: SetConfig } & Record<string, unknown>
    return config
  } catch (error) {
    if (error instanceof MongoServerError && error.code === notYetInitialized) return undefined
    throw error
  }
}
