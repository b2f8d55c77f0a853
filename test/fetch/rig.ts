// The downloader over a real database, real storage and a real web server; runs are started by hand.
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { MongoClient, type ClientSession } from 'mongodb'
import { createFetchClient } from '../../plugins/fetch/client.ts'
import { createGridFsStorage, storageCollections } from '../../plugins/storage/gridfs.ts'
import {
  collections, createDownloadAccess, createDownloadRepository, createDownloadService, createDownloader, createFlow,
  createLocalSlots, createSweep, diskOf, profiles, type DiskOf, type DownloadRow, type Limits, type Rates, type Slots
} from '../../src/fetch/index.ts'
import {
  systemActor, uuidv7, type DownloadQuota, type DownloadRequest, type JobContext, type Tx
} from '../../src/kernel/index.ts'
import { testStores } from '../stores.ts'
import { startWeb } from '../stand-ins/web.ts'

export const workspaceId = uuidv7()

const pieceBytes = 4 * 1024 * 1024

/** What the document keeps of the pieces of a file. */
export function piecesOf (body: Buffer): string[] {
  return Array.from({ length: Math.ceil(body.length / pieceBytes) }, (_none, index) =>
    crc32(body.subarray(index * pieceBytes, (index + 1) * pieceBytes)).toString(16).padStart(8, '0'))
}

interface Teardown { teardown (undo: () => unknown): unknown }
type Emitted = Array<{ name: string, data: Record<string, unknown> }>
type Carried = JobContext<{ workspaceId: string, downloadId: string, host: string }>

export interface RigOptions {
  host?: string
  boot?: string
  scratchDir?: string
  database?: string
  segments?: number
  allow?: string[]
  disk?: DiskOf
  quota?: DownloadQuota
  slots?: Slots
  rates?: Partial<Rates>
  /** Limits of the profile `file` that are others. */
  limits?: Partial<Limits>
}

const noQuota: DownloadQuota = { reserve: async () => true, release: async () => {} }

function usual () {
  return {
    host: 'here',
    boot: 'boot',
    segments: 1,
    disk: diskOf,
    quota: noQuota,
    slots: createLocalSlots(),
    rates: {},
    limits: {},
    allow: [],
    scratchDir: undefined,
    database: undefined
  }
}

/** What `ctx.wait` throws here. */
export class Waits extends Error { override readonly name = 'Waits' }

export async function rig (t: Teardown, options: RigOptions = {}) {
  const { host, boot, scratchDir, database, segments, disk, quota, slots, rates, limits, allow } = {
    ...usual(), ...options
  }
  const client = await new MongoClient(testStores().mongoUrl).connect()
  const db = client.db(database ?? `t${randomBytes(6).toString('hex')}`)
  const folder = scratchDir ?? mkdtempSync(join(tmpdir(), 'switchyard-parts-'))
  const web = await startWeb()
  t.teardown(async () => {
    await fetch.close()
    await web.close()
    if (database === undefined) await db.dropDatabase()
    await client.close()
    if (scratchDir === undefined) rmSync(folder, { recursive: true })
  })
  for (const { name, indexes } of [...collections, ...storageCollections]) {
    await db.collection(name).createIndexes(indexes.map(({ keys, ...rest }) => ({ key: keys, ...rest })))
  }
  const clock = { now: () => new Date(), ms: () => Date.now() }
  const emitted: Emitted = []
  const breakers = { call: async <T>(_name: string, work: () => Promise<T>) => await work() }
  const fetch = createFetchClient({
    allow: [web.host, ...allow],
    userAgent: 'Switchyard/0 (+https://x.example)',
    breakers,
    limits: { file: { ...profiles.file, ...limits } }
  })
  const tx = (async (work) => await client.withSession(async (session) =>
    await session.withTransaction(async () => await work(session)))) as Tx
  const storage = createGridFsStorage(db, clock)
  const downloads = createDownloadRepository(db, clock)
  const jobs = { add: async () => ({}), addMany: async () => [] } as never
  const events = {
    emit: async (_session: ClientSession, { name }: { name: string }, data: object) => {
      emitted.push({ name, data: data as Record<string, unknown> })
      return uuidv7()
    }
  } as never
  const service = createDownloadService({
    downloads, jobs, quota, tx, check: fetch.check, access: createDownloadAccess(downloads)
  })
  const flow = createFlow({ process: 0, workspace: 0, download: 0, ...rates })
  const carry = createDownloader({
    downloads, fetch, events, quota, flow, slots, disk, scratchDir: folder, host, boot, segments
  })
  const rows = db.collection<DownloadRow>('fetch.downloads')

  async function run (id: string, { attempt = 0, signal = new AbortController().signal } = {}): Promise<void> {
    await carry({
      run: { id: uuidv7(), data: { workspaceId, downloadId: id, host: web.host } },
      attempt,
      signal,
      progress () {},
      wait () { throw new Waits() },
      commit: tx,
      log: { debug () {}, info () {}, warn () {}, error () {} }
    } as unknown as Carried, storage)
  }

  async function ask (path: string, more: Partial<DownloadRequest> = {}): Promise<string> {
    const request = { workspaceId, url: web.origin + path, purpose: 'photo', ...more }
    const [made] = await tx(async (session) => await service.add(session, [request]))
    return made?.id ?? ''
  }

  return {
    db,
    web,
    folder,
    storage,
    service,
    tx,
    emitted,
    downloads,
    sweep: createSweep({ downloads, scratchDir: folder, host, clock }),
    rows,
    run,
    ask,
    actor: systemActor('test', workspaceId),
    row: async (id: string) => await rows.findOne({ _id: id }) as DownloadRow,
    stored: async (id: string) => {
      const row = await rows.findOne({ _id: id })
      const body = await storage.get(row?.storageKey ?? '')
      return body === null ? null : Buffer.concat(await body.toArray() as Buffer[])
    },
    /** Every request of a path with its Range, probes left out. */
    ranges: (path: string) => web.requests.filter((one) => one.path === path)
      .map(({ headers }) => headers['range'] ?? null).filter((range) => range !== 'bytes=0-0')
  }
}
