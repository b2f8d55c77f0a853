// Backups in the storage of the product instead of a folder, through their jobs.
import { randomBytes } from 'node:crypto'
import { Readable } from 'node:stream'
import t from 'tap'
import {
  backUpDatabase, createBackupRepository, createDumpRepository, createFolderStore, createRestoreRepository,
  createStorageStore, proveBackup, readManifest, restoreInto
} from '../../src/jobs/index.ts'
import { partOf, writeBackup } from '../../src/jobs/backup/writer.ts'
import { StorageError, uuidv7 } from '../../src/kernel/index.ts'
import { loadConfig } from '../../src/config/index.ts'
import { quickSignIn } from '../helper.ts'
import { until } from './rig.ts'
import { dropEnvironment, newEnvironment, open, runJob } from './standing-stage.ts'

const environment = newEnvironment({ BACKUP_STORE: 'storage' })
const app = await open(environment, { role: 'server' })
const worker = await open(environment)
t.teardown(async () => {
  await worker.close()
  await app.close()
  await dropEnvironment(environment)
})
const { db } = app
const key = loadConfig(environment).jobs.backupKey as Buffer
const backups = createBackupRepository(db)
const store = createStorageStore({
  storage: worker.storage,
  holds: [],
  known: async () => (await backups.stored()).map(({ _id, parts }) => ({ id: _id, parts }))
})
const files = db.collection<{ filename: string, _id: object }>('media.objects.files')

/** Names of what the storage has of a backup, or of all. */
async function partsOf (id = ''): Promise<string[]> {
  const found = await files.find({ filename: new RegExp(`^backups/${id}`) }).toArray()
  return found.map(({ filename }) => filename).toSorted()
}

async function backUp (): Promise<string> {
  const { state, result } = await runJob(worker, backUpDatabase, {})
  t.equal(state, 'done')
  return String(result?.['backupId'])
}

async function isProven (backupId: string): Promise<unknown> {
  return (await runJob(worker, proveBackup, { backupId })).result?.['isProven']
}

let first = ''
t.test('one is written, proven and comes back with every document', async (t) => {
  // More than one chunk of the storage and one batch of the reader, and bytes of the storage that no backup takes.
  await db.collection('test.notes').insertMany(Array.from({ length: 6000 }, (_, n) => ({
    n, kind: 'draft', at: new Date(), bytes: randomBytes(200)
  })))
  await app.storage.put('incoming/x', randomBytes(1000), { type: 'x/y' })
  first = await backUp()
  const { parts } = await backups.find(first) as { parts: string[] }
  t.same(await partsOf(first), parts.map((part) => `backups/${first}/${part}`).toSorted())
  t.notOk(parts.some((part) => part.startsWith('media.objects.')), 'the target is in no backup of it')
  t.equal(await isProven(first), true)

  const manifest = await readManifest(store, key, first)
  t.match(manifest.collections.find(({ name }) => name === 'test.notes'), { count: 6000 })
  // Named as a proof names its own, so that it goes with the environment.
  const beside = app.mongo.client.db(`${db.databaseName}_proof_by_hand`)
  await restoreInto(createRestoreRepository(beside), manifest, { store, key, signal: new AbortController().signal })
  for (const { name, count } of manifest.collections) {
    t.equal(await beside.collection(name).countDocuments(), count, name)
  }
  const sum = [{ $group: { _id: null, n: { $sum: '$n' }, bytes: { $sum: { $binarySize: '$bytes' } } } }]
  t.same(await beside.collection('test.notes').aggregate(sum).toArray(), [
    { _id: null, n: 6000 * 5999 / 2, bytes: 6000 * 200 }
  ])
})

t.test('prune removes every part of those that no rule keeps', async (t) => {
  const second = await backUp()
  t.same(await store.list(), [first, second], 'the last proven one stays beside the newest')
  t.not((await partsOf(first)).length, 0)
  t.equal(await isProven(second), true)
  // Behind the end of the run.
  await until('the first leaves the list', async () => await backups.find(first) === undefined)
  t.same(await partsOf(first), [])
  t.same(await store.list(), [second])
  const known = (await files.find().toArray()).map(({ _id }) => _id)
  t.equal(await db.collection('media.objects.chunks').countDocuments({ files_id: { $nin: known } }), 0)
  t.equal(await isProven(second), true, 'it is still whole')
})

t.test('one that begins anew, because collections changed meanwhile, is of one instant all the same', async (t) => {
  const { storage } = worker
  const { put } = storage
  t.teardown(() => { storage.put = put })
  let isChanged = false
  storage.put = async (at, body, options) => {
    const stored = await put(at, body, options)
    if (isChanged || !at.includes('/test.notes.')) return stored
    isChanged = true
    await db.collection('test.notes').insertOne({ kind: 'final' })
    throw Object.assign(new Error('as the server says it'), { code: 246 })
  }
  const id = await backUp()
  t.ok(isChanged)
  const { collections } = await readManifest(store, key, id)
  t.match(collections.find(({ name }) => name === 'test.notes'), { count: 6001 })
  t.equal(await isProven(id), true)
  await until('those before it go', async () => (await partsOf()).length === (await partsOf(id)).length)
})

t.test('collections that come and go while a backup is written are no failure of it', async (t) => {
  const made = async (name: string) => { await db.collection(name).insertOne({ n: 1 }) }
  for (const name of ['test.goes', 'test.purses.shadow-1', 'test.zz-last']) await made(name)
  const asked: string[] = []
  // Goes between the list of names and the look at its indexes.
  const collection = (name: string) => Object.assign(db.collection(name), {
    listIndexes: () => ({
      async toArray () {
        asked.push(name)
        if (name === 'test.goes' && asked.filter((one) => one === name).length === 1) await db.collection(name).drop()
        return await db.collection(name).listIndexes().toArray()
      }
    })
  })
  const dump = createDumpRepository(Object.create(db, { collection: { value: collection } }) as typeof db)
  const parts = new Map<string, number>()
  const folder = createFolderStore(t.testdir())
  const coming = {
    ...folder,
    async put (id: string, part: string, body: Readable) {
      if (parts.size === 0) await db.collection('test.zz-last').rename('test.zz-renamed')
      parts.set(part, (parts.get(part) ?? 0) + 1)
      return await folder.put(id, part, body)
    }
  }
  const { manifest } = await writeBackup({ dump, store: coming, key, codeVersion: '1' }, {
    id: uuidv7(), startedAt: new Date(), signal: new AbortController().signal, onParts: async () => {}
  })
  const names = manifest.collections.map(({ name }) => name)
  t.notOk(names.includes('test.goes'))
  t.notOk(asked.includes('test.purses.shadow-1'), 'what is not saved is not looked at')
  const [last] = manifest.collections.filter(({ name }) => name.startsWith('test.zz-'))
  t.match(last, { name: 'test.zz-renamed', count: 1 }, 'with what it had at the instant')
  t.equal(parts.get(partOf('test.notes')), 2, 'begun anew once')
  t.same(await folder.list(), [manifest.id])
})

t.test('a full storage fails with a word and tells of it, and the backups from before stay', async (t) => {
  const operator = await quickSignIn(app, { roles: ['owner', 'operator'] })
  const before = await partsOf()
  const { storage } = worker
  const { put } = storage
  t.teardown(() => { storage.put = put })
  let puts = 0
  storage.put = async (at, body, options) => {
    if (!at.startsWith('backups/') || ++puts % 3 !== 0) return await put(at, body, options)
    throw StorageError.full()
  }
  t.match(await runJob(worker, backUpDatabase, {}), { state: 'dead', error: { class: 'transient', code: 'jobs.disk' } })
  t.same(await partsOf(), before, 'nothing of the others is left')
  const [event] = await db.collection('jobs.events').find({ type: 'jobs.backup.failed' }).toArray()
  t.match(event, { data: { code: 'jobs.disk' } })
  const answer = await app.inject({ url: '/v1/jobs/backups', headers: operator.headers })
  const { data } = answer.json<{ data: object[] }>()
  t.match(data[0], { state: 'failed', isStored: false, problem: { code: 'jobs.disk' } })
  t.match(data.at(-1), { state: 'proven', isStored: true })
})

t.test('no room is no room, whichever driver says it; other errors stay what they are', async (t) => {
  const failing = (error: Error) => createStorageStore({
    storage: { ...worker.storage, put: async () => { throw error } }, holds: [], known: async () => []
  })
  const said = (code: string) => Object.assign(new Error('a driver says it'), { code })
  for (const error of [said('ENOSPC'), said('EDQUOT'), said('EFBIG'), StorageError.full()]) {
    await t.rejects(failing(error).put('x', 'y', Readable.from(['z'])), { code: 'jobs.disk', cause: error })
  }
  for (const error of [said('EIO'), new Error('no code'), StorageError.bytes_lost()]) {
    await t.rejects(failing(error).put('x', 'y', Readable.from(['z'])), error)
  }
})
