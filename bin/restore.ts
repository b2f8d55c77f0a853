// `npm run restore -- <id> [--replace]`: brings a backup back for real. Without an id it lists what there is.
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { MongoClient, type Db } from 'mongodb'
import { exitOnError } from '../plugins/entrypoint.ts'
import { createMasterKeys, loadConfig, type Config } from '../src/config/index.ts'
import {
  checkParts, compareData, compareShapes, createDumpRepository, createFolderStore, createRestoreRepository,
  createBackupRepository, indexExpiring, readManifest, restoreInto, type Manifest
} from '../src/jobs/index.ts'

/** Kept through a restore: which backups there are, and which processes live. */
const ofNow = new Set(['jobs.backups', 'sys.processes', 'jobs.workers'])
const livesMs = 30_000

await exitOnError(async () => {
  const { values, positionals: [id] } = parseArgs({
    allowPositionals: true, options: { replace: { type: 'boolean', default: false } }
  })
  const config = loadConfig(withMasterKeys(process.env))
  if (config.jobs.backupStore === 'storage') {
    throw new Error('BACKUP_STORE=storage lies inside the database that is gone: nothing can be restored from it.')
  }
  const store = createFolderStore(join(config.jobs.backupStore, config.mongo.database))
  if (id === undefined) {
    for (const one of await store.list()) say(one)
    return
  }
  const { backupKey } = config.jobs
  if (backupKey === null) throw new Error('BACKUP_KEY: a backup opens with the key that sealed it. Set the variable.')
  const client = new MongoClient(config.mongo.url, { serverSelectionTimeoutMS: 7500 })
  try {
    await restore({ db: client.db(config.mongo.database), store, key: backupKey, id, mayReplace: values.replace })
  } finally {
    await client.close()
  }
})

interface Restoring {
  db: Db, store: ReturnType<typeof createFolderStore>, key: NonNullable<Config['jobs']['backupKey']>, id: string
  mayReplace: boolean
}

async function restore ({ db, store, key, id, mayReplace }: Restoring): Promise<void> {
  await refuseWhileServed(db)
  const target = createRestoreRepository(db)
  const signal = new AbortController().signal
  const manifest = await readManifest(store, key, id)
  say(`Backup ${id} of ${manifest.clusterTime}: ${manifest.collections.length} collections.`)
  const others = (await createDumpRepository(db).shapes()).filter(({ name }) => !ofNow.has(name))
  if (others.length > 0 && !mayReplace) {
    throw new Error(`The database ${db.databaseName} has ${others.length} collections: say --replace to lose them.`)
  }
  // Nothing is lost before the backup was read to its end.
  await checkParts(manifest, { store, key, signal })
  for (const { name } of others) await target.dropCollection(name)
  await restoreInto(target, manifest, {
    store, key, signal, onCollection (name, count) { say(`${name}: ${count}`) }
  })
  const dump = createDumpRepository(db)
  const findings = await compareData(dump, manifest)
  await indexExpiring(target, manifest)
  findings.push(...await compareShapes(dump, manifest))
  if (findings.length > 0) throw new Error(`What came back differs: ${findings.join('; ')}.`)
  await target.forgetRedis()
  await adopt(db, store, manifest)
  say('Restored and compared. Erasures after the backup: this version records none, so none are replayed.')
  say('Run npm run migrate, then start.')
}

/** Backups that the database does not know of are listed again; the one that just came back is proven by that. */
async function adopt (
  db: Db, store: Restoring['store'], { id: restored, clusterTime, collections }: Manifest
): Promise<void> {
  const backups = createBackupRepository(db)
  for (const id of await store.list()) {
    const startedAt = new Date(Number.parseInt(id.replaceAll('-', '').slice(0, 12), 16))
    await backups.adopt({
      _id: id,
      startedAt,
      bytes: 0,
      parts: ['manifest'],
      ...(id === restored
        ? { state: 'proven', provenAt: new Date(), clusterTime: new Date(clusterTime), collections: brief(collections) }
        : { state: 'written', collections: [] })
    })
  }
}

async function refuseWhileServed (db: Db): Promise<void> {
  const since = new Date(Date.now() - livesMs)
  const alive = await db.collection('sys.processes').countDocuments({ seenAt: { $gte: since } })
  if (alive > 0) throw new Error(`${alive} processes serve this database: stop the product, wait 30 s, then restore.`)
}

/** The configuration asks for master keys; a restore uses none. */
function withMasterKeys (env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  if (env['MASTER_KEYS'] !== undefined || env['NODE_ENV'] === 'production') return env
  return { ...env, MASTER_KEYS: createMasterKeys(env['DATA_DIR'] ?? '.data') }
}

function say (line: string): void {
  process.stdout.write(`${line}\n`)
}

function brief (collections: Manifest['collections']): Array<{ name: string, count: number, bytes: number }> {
  return collections.map(({ name, count, bytes }) => ({ name, count, bytes }))
}
