// Large files: segments, pieces, and what is fetched again.
import { createHash, randomBytes } from 'node:crypto'
import { open, readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { bitmapOf, layOut } from '../../src/fetch/pieces.ts'
import { until } from '../jobs/rig.ts'
import type { Web } from '../stand-ins/web.ts'
import { piecesOf, rig } from './rig.ts'

const MiB = 1024 * 1024
const sha256 = (body: Buffer) => createHash('sha256').update(body).digest('hex')
const large = randomBytes(44 * MiB + 12_345)
const bytesOf = (ranges: Array<string | string[] | null>) => ranges.reduce((sum, range) => {
  const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(String(range)) ?? []
  return sum + Number(to) - Number(from) + 1
}, 0)

async function flip (path: string, at: number): Promise<void> {
  const file = await open(path, 'r+')
  const { buffer } = await file.read(Buffer.alloc(1), 0, 1, at)
  buffer[0] = (buffer[0] ?? 0) ^ 0xff
  await file.write(buffer, 0, 1, at)
  await file.close()
}

t.test('a file is divided at borders of pieces, and only where it is worth it', async (t) => {
  const { spans } = layOut(44 * MiB + 1, 4)
  t.same(spans.map(({ start }) => start), [0, 12 * MiB, 24 * MiB, 36 * MiB])
  t.equal(spans.at(-1)?.end, 44 * MiB + 1)
  t.same(layOut(40 * MiB - 1, 4).spans, [{ start: 0, end: 40 * MiB - 1 }])
  t.same(layOut(null, 4).spans, [{ start: 0, end: null }])
  t.equal(layOut(1024 * MiB, 9).spans.length, 4, 'at most four')
  t.equal(layOut(1024 * MiB, 1).spans.length, 1)
  t.equal(layOut(64 * 1024 * MiB, 4).pieceBytes, 16 * MiB, 'as many hashes as a document bears')
  for (const total of [40 * MiB, 41 * MiB, 100 * MiB + 7]) {
    for (let count = 1; count <= 4; count++) {
      const { spans, pieceBytes } = layOut(total, count)
      t.ok(spans.every(({ start }, n) => start % pieceBytes === 0 && start === (spans[n - 1]?.end ?? 0)))
    }
  }
  t.same(Buffer.from(bitmapOf(['a', '', 'b', '', '', '', '', '', 'c']), 'base64'), Buffer.from([0xa0, 0x80]))
})

t.test('four segments over four connections, broken off and all, are one right file', async (t) => {
  const { web, ask, run, row, stored, ranges, folder } = await rig(t, { segments: 4 })
  const served = web.file('/big', large, { hasDigest: true })
  served.cuts.push(5 * MiB, 13 * MiB + 1, 13 * MiB + 100_000, 40 * MiB)
  const id = await ask('/big')
  await run(id)
  const ended = await row(id)
  t.match(ended, { state: 'done', restarts: 0, segments: 4, bytes: large.length, sha256: sha256(large) })
  t.same(ended.pieceHashes, piecesOf(large))
  t.equal(ended.pieces, bitmapOf(piecesOf(large)))
  t.ok((await stored(id))?.equals(large))
  t.same(await readdir(join(folder, 'parts')), [])
  const asked = ranges('/big')
  t.equal(asked.length, 8, 'four segments and four breaks')
  t.ok(bytesOf(asked.slice(0, 4)) === large.length)
  t.ok(web.requests.filter(({ headers }) => headers['if-range'] !== undefined).length === 8)
})

t.test('an asker may want fewer segments than the installation', async (t) => {
  const { web, ask, run, row, service, actor } = await rig(t, { segments: 4 })
  web.file('/big', large, { bytesPerSecond: MiB })
  const id = await ask('/big', { segments: 1 })
  const running = run(id)
  await until('on its way', async () => (await row(id)).state === 'downloading')
  t.match(await row(id), { segments: 1 })
  await service.cancel(actor, id)
  await running
})

t.test('a start goes on in each segment where its bytes end; after a reboot where they were noted', async (t) => {
  const first = await rig(t, { segments: 4 })
  const options = { bytesPerSecond: 12 * MiB }
  first.web.file('/big', large, options)
  const id = await first.ask('/big')
  const stop = new AbortController()
  const running = first.run(id, { signal: stop.signal })
  await until('some bytes', async () => ((await first.row(id)).bytes) > 12 * MiB)
  stop.abort(new Error('shutdown'))
  await t.rejects(running, { message: 'shutdown' })
  const left = await first.row(id)
  const sizeOf = async (n: number) => (await stat(join(first.folder, 'parts', `${id}.${n}`))).size
  const sizes = await Promise.all([0, 1, 2, 3].map(sizeOf))
  t.same(left.part?.lengths, sizes, 'what was noted is what is there')
  options.bytesPerSecond = Infinity
  const before = first.ranges('/big').length
  const lengths = sizes.map((size, n) => n === 1 ? size - 1000 : size)
  await first.rows.updateOne({ _id: id }, { $set: { 'part.lengths': lengths } })
  const again = await rig(t, {
    segments: 4, boot: 'next', scratchDir: first.folder, database: first.db.databaseName, allow: [first.web.host]
  })
  await again.run(id)
  t.match(await first.row(id), { state: 'done', restarts: 0, sha256: sha256(large) })
  const starts = first.ranges('/big').slice(before).map((range) => Number(/\d+/.exec(String(range))?.[0]))
  t.same(starts.toSorted((a, b) => a - b), lengths.map((length, n) => n * 12 * MiB + length))
})

/** Serves the file and keeps back what `isLast` says until `release`. */
function holdBack (web: Web, path: string, isLast: (range: string) => boolean) {
  const answer = web.answerOf(path)
  const held = Promise.withResolvers<void>()
  web.on(path, (request, reply) => {
    if (isLast(String(request.headers.range))) void held.promise.then(() => { answer(request, reply) })
    else answer(request, reply)
  })
  return held.resolve
}

t.test('a piece that the disk spoiled is fetched again, and nothing else: the hash of the file tells', async (t) => {
  const { web, ask, run, row, stored, folder, ranges } = await rig(t, { segments: 4 })
  web.file('/big', large)
  const release = holdBack(web, '/big', (range) => range.startsWith(`bytes=${36 * MiB}-`))
  const id = await ask('/big', { expect: { sha256: sha256(large) } })
  const running = run(id)
  const path = join(folder, 'parts', `${id}.2`)
  await until('the segment is there', async () => (await stat(path).catch(() => ({ size: 0 }))).size === 12 * MiB)
  await flip(path, 5 * MiB)
  release()
  await running
  t.match(await row(id), { state: 'done', restarts: 0, sha256: sha256(large) })
  t.ok((await stored(id))?.equals(large))
  t.same(ranges('/big').slice(4), [`bytes=${28 * MiB}-${32 * MiB - 1}`])
})

t.test('and so does the storage, where the hash was made as the bytes came', async (t) => {
  const { web, ask, run, row, stored, folder, ranges } = await rig(t)
  const body = large.subarray(0, 9 * MiB)
  web.file('/a', body).cuts.push(8 * MiB + 5)
  const release = holdBack(web, '/a', (range) => range.startsWith(`bytes=${8 * MiB + 5}-`))
  const id = await ask('/a')
  const running = run(id)
  const path = join(folder, 'parts', `${id}.0`)
  await until('two pieces are there', async () => (await stat(path).catch(() => ({ size: 0 }))).size === 8 * MiB + 5)
  await flip(path, 100)
  release()
  await running
  t.match(await row(id), { state: 'done', restarts: 0, sha256: sha256(body) })
  t.ok((await stored(id))?.equals(body))
  t.equal(ranges('/a').at(-1), `bytes=0-${4 * MiB - 1}`)
})

t.test('noted pieces decide what of a part is believed', async (t) => {
  const { web, ask, run, row, folder, ranges } = await rig(t)
  const body = large.subarray(0, 12 * MiB)
  const options = { bytesPerSecond: 8 * MiB }
  web.file('/a', body, options)
  const id = await ask('/a')
  const stop = new AbortController()
  const running = run(id, { signal: stop.signal })
  await until('nine MiB', async () => (await row(id)).bytes > 9 * MiB)
  stop.abort(new Error('shutdown'))
  await t.rejects(running, { message: 'shutdown' })
  await flip(join(folder, 'parts', `${id}.0`), 5 * MiB)
  options.bytesPerSecond = Infinity
  await run(id)
  t.match(await row(id), { state: 'done', restarts: 0, sha256: sha256(body) })
  t.equal(ranges('/a').at(-1), `bytes=${4 * MiB}-`, 'the second piece is not the one that came')
})

t.test('a pause does not wait for a host that is silent, and a cancel leaves no part', async (t) => {
  const { web, ask, run, row, service, actor, folder } = await rig(t, { segments: 4 })
  web.on('/big', (request, reply) => {
    const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '') ?? []
    const [start, end] = [Number(from), to === '' ? large.length - 1 : Number(to)]
    reply.writeHead(206, { etag: '"a"', 'content-range': `bytes ${start}-${end}/${large.length}` })
    if (end === 0) reply.end(large.subarray(0, 1))
    else reply.write(large.subarray(start, start + 100_000))
  })
  const id = await ask('/big')
  let running = run(id)
  await until('bytes', async () => (await row(id)).bytes === 400_000)
  const since = performance.now()
  await service.pause(actor, id)
  await running
  t.ok(performance.now() - since < 3000)
  const paused = await row(id)
  t.match(paused, { state: 'paused', part: { lengths: [100_000, 100_000, 100_000, 100_000] } })
  await service.resume(actor, id)
  running = run(id)
  await until('on its way', async () => (await row(id)).state === 'downloading')
  await service.cancel(actor, id)
  await running
  await sleep(10)
  t.same(await readdir(join(folder, 'parts')), [])
  t.match(await row(id), { state: 'cancelled', isActive: false })
})
