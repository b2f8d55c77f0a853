import { spawn, type ChildProcess } from 'node:child_process'
import { createHash, randomBytes, randomInt } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { startServices } from '../../../bin/services.ts'
import type { DownloadRow } from '../../../src/fetch/index.ts'
import { uuidv7 } from '../../../src/kernel/index.ts'
import { rig } from '../../fetch/rig.ts'
import { build, testEnvironment } from '../../helper.ts'
import { startWeb, type FileOptions, type ServedFile, type Web } from '../../stand-ins/web.ts'

type Say = (line: string) => void
type Rig = Awaited<ReturnType<typeof rig>>

const MiB = 1024 * 1024
const pieceBytes = 4 * MiB
const atOnce = 4
const cutsInAFile = 2
const kills = 10
const source = randomBytes(16 * MiB)
const sha256 = (body: Buffer) => createHash('sha256').update(body).digest('hex')

/** Hosts that are not as good as they should be; with these a clean restart is right. */
const odd: ReadonlyArray<[name: string, options: FileOptions]> = [
  ['no validators', { etag: null }],
  ['weak tag', { etag: 'W/"a"' }],
  ['no ranges', { ignoresRanges: true }],
  ['no length', { isChunked: true }],
  ['no If-Range', { ignoresIfRange: true }]
]

/** Cuts at random bytes, then kills: the final hash is right or the error is clean, and what is shown never falls. */
export async function proveCuts (cuts: number, say: Say): Promise<string> {
  const stores = await openStores()
  const undo: Array<() => unknown> = []
  const teardown = { teardown: (work: () => unknown) => { undo.push(work) } }
  try {
    const cut = await cutEverywhere(await rig(teardown), cuts, say)
    const killed = await killAnywhere(teardown, say)
    return `${cut}; ${killed}`
  } finally {
    for (const work of undo.toReversed()) await work()
    await stores()
  }
}

/** Those of the environment, or own ones that end with the proof. */
async function openStores (): Promise<() => Promise<void>> {
  if (process.env['MONGO_URL'] !== undefined && process.env['REDIS_URL'] !== undefined) return async () => {}
  const dir = mkdtempSync(join(tmpdir(), 'switchyard-proof-'))
  const { mongoUrl, redisUrl, stop } = await startServices({ dir, persist: false })
  Object.assign(process.env, { MONGO_URL: mongoUrl, REDIS_URL: redisUrl })
  return async () => {
    await stop()
    rmSync(dir, { recursive: true })
    delete process.env['MONGO_URL']
    delete process.env['REDIS_URL']
  }
}

interface Tally { cuts: number, files: number, restarts: number, failed: number, resumed: number }

async function cutEverywhere (place: Rig, cuts: number, say: Say): Promise<string> {
  const tally: Tally = { cuts: 0, files: 0, restarts: 0, failed: 0, resumed: 0 }
  const falls = watchBytes(place)
  const work = async (): Promise<void> => {
    while (tally.cuts < cuts) {
      const number = tally.files++
      tally.cuts += cutsInAFile
      await cutOne(place, number, tally)
      if (tally.files % 25 === 0) say(`${tally.cuts} cuts`)
    }
  }
  await Promise.all(Array.from({ length: atOnce }, work))
  const fallen = await falls()
  if (fallen > 0) throw new Error(`bytes fell ${fallen} times`)
  return `${tally.cuts} cuts of ${tally.files} files, ${tally.resumed} went on at the byte, ` +
    `${tally.restarts} clean restarts, ${tally.failed} clean errors, 0 wrong files`
}

interface Case { name: string, body: Buffer, cuts: number[] }

async function cutOne (place: Rig, number: number, tally: Tally): Promise<void> {
  const path = `/f${number}`
  const { name, body, cuts } = serveCut(place.web, path, number)
  const id = await place.ask(path)
  const error = await place.run(id).catch((thrown: unknown) => thrown) as { code?: string } | undefined
  const ended = await place.row(id)
  tally.restarts += ended.restarts
  if (error !== undefined || ended.state !== 'done') {
    if (!/^fetch\./.test(error?.code ?? ended.errorCode ?? '')) throw new Error(`${name}: ${String(error)}`)
    tally.failed++
    return
  }
  const told = `${name} of ${body.length} bytes, cut at ${cuts.join()}`
  if (!await isRight(place.stored, id, body, ended)) throw new Error(`${told}: a wrong file`)
  if (name !== 'good') return
  const offsets = place.ranges(path).slice(1).map((range) => Number(/\d+/.exec(String(range))?.[0]))
  if (offsets.join() === cuts.join() && ended.restarts === 0) tally.resumed += offsets.length
  else throw new Error(`${told}: went on at ${offsets.join()} with ${ended.restarts} restarts`)
}

/** A file of a random size that breaks off at random bytes; every tenth has 12 MiB and breaks in its second piece. */
function serveCut (web: Web, path: string, number: number): Case {
  const isLarge = number % 10 === 0
  const bytes = isLarge ? 12 * MiB : randomInt(1000, 2 * MiB)
  const from = randomInt(0, source.length - bytes + 1)
  const body = source.subarray(from, from + bytes)
  const isOdd = number % 7 === 3
  const [name, options] = isOdd ? odd[number % odd.length] as [string, FileOptions] : ['good', {}] as const
  const served = web.file(path, body, options)
  const wanted = isLarge
    ? [randomInt(4 * MiB, 8 * MiB), randomInt(8 * MiB, bytes)]
    : Array.from({ length: cutsInAFile }, () => randomInt(1, bytes))
  const cuts = [...new Set(wanted)].toSorted((a, b) => a - b)
  served.cuts = [...cuts]
  return { name, body, cuts }
}

async function isRight (stored: Rig['stored'], id: string, body: Buffer, ended: DownloadRow): Promise<boolean> {
  const bytes = await stored(id)
  return ended.sha256 === sha256(body) && ended.bytes === body.length && bytes?.equals(body) === true
}

/** Counts how often the bytes of a download fell, in the order in which the store wrote them. */
function watchBytes ({ db }: Pick<Rig, 'db'>): () => Promise<number> {
  const shown = new Map<string, number>()
  let fallen = 0
  const stream = db.collection<DownloadRow>('fetch.downloads').watch([], { fullDocument: 'updateLookup' })
  stream.on('change', (change) => {
    if (change.operationType !== 'update') return
    const bytes = change.updateDescription.updatedFields?.bytes
    if (bytes === undefined) return
    const id = String(change.documentKey._id)
    if (bytes < (shown.get(id) ?? 0)) fallen++
    shown.set(id, bytes)
  })
  return async () => {
    await sleep(500)
    await stream.close()
    return fallen
  }
}

/** Workers die by kill -9 in the middle of a file of four segments, and of one; the next one goes on. */
async function killAnywhere (teardown: { teardown (undo: () => unknown): unknown }, say: Say): Promise<string> {
  const web = await startWeb()
  const environment = testEnvironment({ FETCH_ALLOW: web.host, FETCH_SEGMENTS: '4' })
  const app = await build(teardown as never, { config: environment })
  const rows = app.db.collection<DownloadRow>('fetch.downloads')
  const workers: ChildProcess[] = []
  teardown.teardown(async () => {
    for (const worker of workers) worker.kill('SIGKILL')
    await web.close()
  })
  const start = () => {
    const worker = spawn(process.execPath, [
      '--disable-warning=ExperimentalWarning', join(import.meta.dirname, '../../../workers/worker.ts'), 'io', 'keeper'
    ], { env: environment, stdio: ['ignore', 'ignore', 'inherit'] })
    workers.push(worker)
    return worker
  }
  const falls = watchBytes(app)
  let most = 0
  let worker = start()
  for (let round = 0; round < kills; round++) {
    const body = round % 2 === 0 ? Buffer.concat([source, source, source]) : source.subarray(0, 12 * MiB)
    const path = `/k${round}`
    const served = serve(web, path, body)
    const request = { workspaceId: uuidv7(), url: web.origin + path, purpose: 'other' }
    const [asked] = await app.tx(async (session) => await app.fetch.download(session, [request]))
    const rowOf = async () => await rows.findOne({ _id: asked?.id as string }) as DownloadRow
    await until(async () => (await rowOf()).bytes > 0)
    await sleep(randomInt(0, 700))
    worker.kill('SIGKILL')
    await once(worker, 'exit')
    const before = served.sent.length
    worker = start()
    await until(async () => ['done', 'failed'].includes((await rowOf()).state))
    const ended = await rowOf()
    if (ended.state !== 'done' || ended.sha256 !== sha256(body) || ended.restarts > 0) {
      throw new Error(`after a kill: ${ended.state} ${ended.errorCode ?? ''}, ${ended.restarts} restarts`)
    }
    most = Math.max(most, againOf(served, before, ended.segments))
    say(`kill ${round + 1} of ${kills}: at most ${(most / MiB).toFixed(1)} MiB of a segment came twice`)
  }
  if (most > pieceBytes) throw new Error(`${(most / MiB).toFixed(1)} MiB of a segment were fetched again`)
  if (await falls() > 0) throw new Error('bytes fell over a kill')
  return `${kills} kills, at most ${(most / MiB).toFixed(1)} MiB of a segment fetched again`
}

function serve (web: Web, path: string, body: Buffer): ServedFile {
  return web.file(path, body, { bytesPerSecond: 8 * MiB })
}

/** The most bytes of one segment that were sent before and after the kill. */
function againOf ({ sent }: ServedFile, before: number, segments: number): number {
  const share = segments === 1 ? Infinity : 12 * MiB
  const segmentOf = (start: number) => Math.floor(start / share)
  const firsts = sent.slice(0, before).filter(({ start, bytes }) => start + bytes > 1)
  return Math.max(0, ...sent.slice(before).map(({ start }) => {
    const own = firsts.filter((one) => segmentOf(one.start) === segmentOf(start))
    return Math.max(0, ...own.map((one) => one.start + one.bytes)) - start
  }))
}

async function until (holds: () => Promise<boolean>): Promise<void> {
  const since = performance.now()
  while (!await holds()) {
    if (performance.now() - since > 60_000) throw new Error('a download does not get on')
    await sleep(20)
  }
}
