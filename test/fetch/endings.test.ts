// How downloads end that cannot be carried as they were meant, and what keeps them within bounds.
import { createHash, randomBytes } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { mkdir, readdir, utimes, writeFile } from 'node:fs/promises'
import type { ServerResponse } from 'node:http'
import { join } from 'node:path'
import t from 'tap'
import { createBucket, createFlow } from '../../src/fetch/flow.ts'
import { uuidv7 } from '../../src/kernel/index.ts'
import { createLocalSlots, filesPerHost } from '../../src/fetch/index.ts'
import { piecesOf, rig, workspaceId } from './rig.ts'

const MiB = 1024 * 1024
const sha256 = (body: Buffer) => createHash('sha256').update(body).digest('hex')
const body = randomBytes(2 * MiB)
const { signal } = new AbortController()

/** Goes on with a byte now and then. */
function drip (reply: ServerResponse, owed: Buffer): void {
  let at = 0
  const timer = setInterval(() => { reply.write(owed.subarray(at, ++at)) }, 40)
  reply.on('close', () => { clearInterval(timer) })
}

t.test('a host that lets no attempt come to an end', async (t) => {
  const { web, ask, run, row } = await rig(t)
  // Every answer breaks off, and every other one is of another file.
  const changing = web.file('/changing', body, {
    before: (_request, served) => {
      served.body = randomBytes(2 * MiB)
      served.etag = `"${randomBytes(4).toString('hex')}"`
      served.cuts = [MiB]
    }
  })
  const changes = await ask('/changing')
  await t.rejects(run(changes), { code: 'fetch.changed' })
  t.match(await row(changes), { isActive: true, restartCode: 'fetch.changed', restarts: 3 })
  changing.cuts = []
  web.file('/bad', body, { ignoresRanges: true, before: (_request, served) => { served.cuts = [MiB] } })
  const bad = await ask('/bad')
  await t.rejects(run(bad), { code: 'fetch.not_resumable' })
  t.match(await row(bad), { restartCode: 'fetch.not_resumable', restarts: 3 })
  const shifted = web.file('/shifted', body, { shift: 1 })
  shifted.cuts.push(MiB)
  const wrong = await ask('/shifted')
  await t.rejects(run(wrong), { code: 'fetch.not_resumable' })
  await run(wrong, { attempt: 19 })
  t.match(await row(wrong), { state: 'failed', errorCode: 'fetch.not_resumable', restarts: 0 })
})

t.test('a host that drips or falls silent costs no byte: whoever tries again asks for the rest', async (t) => {
  const large = randomBytes(6 * MiB)
  const cases = [
    { code: 'fetch.too_slow', limits: { rate: { bytes: 1024, windowMs: 300 } }, atCut: drip },
    { code: 'fetch.timeout', limits: { idleMs: 700 }, atCut () {} }
  ]
  for (const { code, limits, atCut } of cases) {
    const { web, ask, run, row, ranges, folder, stored } = await rig(t, { limits })
    let isLame = true
    web.file('/a', large, {
      atCut,
      before: ({ headers }, served) => {
        const from = Number(/\d+/.exec(headers.range ?? '0'))
        served.cuts = isLame ? [Math.max(5 * MiB, from + 1)] : []
      }
    })
    const id = await ask('/a')
    await t.rejects(run(id, { signal: AbortSignal.timeout(30_000) }), { code })
    const kept = statSync(join(folder, 'parts', `${id}.0`)).size
    t.ok(kept >= 5 * MiB && kept < large.length, `${code}: ${kept} bytes are kept`)
    t.same(readFileSync(join(folder, 'parts', `${id}.0`)), large.subarray(0, kept))
    t.match(await row(id), {
      state: 'downloading',
      isActive: true,
      restarts: 0,
      bytes: kept,
      part: { lengths: [kept] },
      pieceHashes: piecesOf(large.subarray(0, 4 * MiB))
    })
    const [whole, ...tries] = ranges('/a')
    t.same([whole, tries.length], [null, 3], 'three tries more, none of which got on')
    const offsets = tries.map((range) => Number(/^bytes=(\d+)-$/.exec(String(range))?.[1]))
    t.ok(offsets.every((offset, n) => offset > (offsets[n - 1] ?? 5 * MiB - 1) && offset < kept), offsets.join())
    isLame = false
    await run(id)
    t.equal(ranges('/a').at(-1), `bytes=${kept}-`)
    t.match(await row(id), { state: 'done', restarts: 0, bytes: large.length, sha256: sha256(large) })
    t.ok((await stored(id))?.equals(large))
  }
})

t.test('what decides whether bytes may be joined: a strong tag, or size and date', async (t) => {
  const { web, ask, run, row, ranges } = await rig(t)
  const lastModified = 'Tue, 24 Nov 2026 10:00:00 GMT'
  const cases: Array<[string, object, { restarts: number, condition: string | undefined, asks: number }]> = [
    ['/strong', { etag: '"a"' }, { restarts: 0, condition: '"a"', asks: 2 }],
    ['/dated', { etag: null, lastModified }, { restarts: 0, condition: lastModified, asks: 2 }],
    ['/weak-dated', { etag: 'W/"a"', lastModified }, { restarts: 0, condition: lastModified, asks: 2 }],
    ['/weak', { etag: 'W/"a"' }, { restarts: 1, condition: undefined, asks: 2 }],
    ['/nothing', { etag: null }, { restarts: 1, condition: undefined, asks: 2 }],
    ['/always-200', { etag: '"a"', ignoresIfRange: true }, { restarts: 0, condition: '"a"', asks: 3 }]
  ]
  for (const [path, options, { restarts, condition, asks }] of cases) {
    web.file(path, body, options).cuts.push(MiB)
    const id = await ask(path)
    await run(id)
    t.match(await row(id), { state: 'done', restarts, sha256: sha256(body) }, path)
    t.equal(ranges(path).length, asks, path)
    const [conditional] = web.requests.filter((one) => one.path === path && one.headers['if-range'] !== undefined)
    t.equal(conditional?.headers['if-range'], condition, path)
  }
})

t.test('a file that became another one between the first words and the bytes is that other one', async (t) => {
  const { web, ask, run, row, stored } = await rig(t)
  const fresh = randomBytes(MiB)
  web.file('/a', body, {
    before: ({ headers }, served) => {
      if (headers.range === 'bytes=0-0') return
      served.body = fresh
      served.etag = '"fresh"'
    }
  }).cuts.push(300_000)
  const id = await ask('/a')
  await run(id)
  t.match(await row(id), { state: 'done', restarts: 0, total: MiB, validators: { etag: '"fresh"' } })
  t.same(await stored(id), fresh)
})

t.test('promises about bytes and types are kept or the download fails', async (t) => {
  const { web, ask, run, row, stored } = await rig(t)
  const wrong = createHash('sha256').update('x').digest('base64')
  web.file('/a', body, { type: 'text/html', hasDigest: true })
  web.on('/lies', (_request, reply) => {
    reply.writeHead(200, { 'content-digest': `sha-256=:${wrong}:` }).end(body)
  })
  web.on('/old', (_request, reply) => {
    reply.writeHead(200, { digest: `SHA-256=${wrong}` }).end(body)
  })
  web.on('/more', (request, reply) => {
    if (request.headers.range === undefined) reply.writeHead(200, { etag: '"a"' }).end(body)
    else reply.writeHead(206, { etag: '"a"', 'content-range': 'bytes 0-0/1000' }).end('x')
  })
  web.file('/chunked', body, { isChunked: true, ignoresRanges: true })
  web.on('/empty', ({ headers }, reply) => {
    reply.writeHead(headers.range === undefined ? 200 : 416, { 'content-length': 0 }).end()
  })
  const cases: Array<[string, object, string | null]> = [
    ['/a', {}, null],
    ['/a', { expect: { type: 'text/HTML; charset=utf-8' } }, null],
    ['/a', { expect: { type: 'image/png' } }, 'fetch.type_mismatch'],
    ['/lies', {}, 'fetch.checksum'],
    ['/old', {}, 'fetch.checksum'],
    ['/more', {}, 'fetch.checksum'],
    ['/chunked', {}, null],
    ['/empty', { expect: { bytes: 0 } }, null],
    ['/chunked', { maxBytes: MiB }, 'fetch.too_large'],
    ['/chunked', { expect: { bytes: 5 } }, 'fetch.checksum']
  ]
  for (const [path, more, code] of cases) {
    const id = await ask(path, more)
    await run(id)
    const ended = { state: code === null ? 'done' : 'failed', errorCode: code }
    t.match(await row(id), ended, `${path} ${JSON.stringify(more)}`)
    if (code === null) t.same(await stored(id), path === '/empty' ? Buffer.alloc(0) : body)
  }
})

t.test('room is asked for before bytes are taken, and given back where no file comes of it', async (t) => {
  const asked: Array<{ bytes: number }> = []
  const released: string[] = []
  let isGranted = true
  const quota = {
    reserve: async (one: { bytes: number }) => { asked.push(one); return isGranted },
    release: async ({ downloadId }: { downloadId: string }) => { released.push(downloadId) }
  }
  let free = 100 * MiB
  const { web, ask, run, row, emitted, service, actor } = await rig(t, {
    quota, disk: async () => ({ free, size: 900 * MiB })
  })
  web.file('/a', body)
  const good = await ask('/a')
  await run(good)
  t.match(asked, [{ workspaceId, downloadId: good, bytes: body.length }])
  t.same(released, [], 'media takes over what became a file')
  isGranted = false
  const refused = await ask('/a')
  await run(refused)
  t.match(await row(refused), { state: 'failed', errorCode: 'fetch.quota', bytes: 0 })
  t.match(emitted.at(-1), { name: 'fetch.download.failed', data: { code: 'fetch.quota' } })
  isGranted = true
  free = 91 * MiB
  const full = await ask('/a')
  await t.rejects(run(full), { code: 'fetch.disk' })
  t.match(await row(full), { isActive: true }, 'tried again: others may give way')
  t.ok(web.requests.every(({ headers }) => headers['range'] === 'bytes=0-0' || headers['range'] === undefined))
  await service.cancel(actor, full)
  t.same(released, [refused, full])
})

t.test('four files of a host at once; the fifth waits uncounted', async (t) => {
  const slots = createLocalSlots()
  const { web, ask, run, row } = await rig(t, { slots })
  web.file('/a', body)
  const id = await ask('/a')
  for (let n = 0; n < filesPerHost; n++) t.ok(await slots.take(web.host, `other ${n}`))
  t.ok(await slots.take(web.host, 'other 1'), 'who has a place keeps it')
  t.ok(await slots.take('another.example', id))
  await t.rejects(run(id), { name: 'Waits' })
  t.match(await row(id), { state: 'queued', claim: null })
  await slots.free(web.host, 'other 2')
  await run(id)
  t.match(await row(id), { state: 'done' })
  t.ok(await slots.take(web.host, 'other 5'), 'its place is free again')
})

t.test('bytes come no faster than the slowest bucket lets them, whoever shares it', async (t) => {
  let now = 0
  const bucket = createBucket(1000, () => now)
  t.equal(bucket(250), 0, 'a quarter of a second is free')
  t.equal(bucket(100), 100)
  now += 100
  t.equal(bucket(0), 0)
  now += 10_000
  t.equal(bucket(500), 250, 'and no more after a long pause')

  const { web, ask, run, row } = await rig(t, { rates: { download: 2 * MiB } })
  web.file('/a', body)
  const id = await ask('/a')
  const since = performance.now()
  await run(id)
  const ms = performance.now() - since
  t.ok(ms > 650 && ms < 2500, `2 MiB at 2 MiB/s took ${Math.round(ms)} ms`)
  t.match(await row(id), { state: 'done', sha256: sha256(body) })

  const taken: number[] = []
  const flow = createFlow({ process: 0, workspace: 1000, download: 0 }, async (_workspace, bytes) => {
    taken.push(bytes)
    return 0
  })
  const [one, two] = [flow.open('w'), flow.open('w')]
  for (let n = 0; n < 10; n++) await Promise.all([one(50, signal), two(50, signal)])
  t.ok(taken.length <= 5 && taken.reduce((sum, bytes) => sum + bytes, 0) >= 1000, `asked for ${taken.join()}`)
  t.equal(createFlow({ process: 0, workspace: 0, download: 0 }).open('w')(1, signal), undefined)
  const broken = createFlow({ process: 0, workspace: 1000, download: 0 }, async () => { throw new Error('gone') })
  const start = performance.now()
  await broken.open('w')(500, signal)
  t.ok(performance.now() - start >= 200, 'without the shared store each process keeps the rate')
})

t.test('part files that nobody needs are swept, and no others', async (t) => {
  const { web, ask, run, row, rows, folder, sweep, service, actor } = await rig(t)
  web.file('/a', body)
  web.file('/b', body)
  const parts = join(folder, 'parts')
  await mkdir(parts, { recursive: true })
  const [paused, elsewhere, young] = [await ask('/a'), await ask('/b'), uuidv7()]
  await service.pause(actor, paused)
  await rows.updateOne({ _id: elsewhere }, { $set: { part: { host: 'there', boot: 'boot', lengths: [1] } } })
  const old = [`${paused}.0`, `${elsewhere}.0`, `${elsewhere}.1`, `${uuidv7()}.0`]
  for (const name of [...old, `${young}.0`]) await writeFile(join(parts, name), 'x')
  const past = new Date(Date.now() - 3_600_000)
  for (const name of old) await utimes(join(parts, name), past, past)
  t.equal(await sweep(signal), 3)
  t.same((await readdir(parts)).toSorted(), [`${paused}.0`, `${young}.0`].toSorted())
  await service.resume(actor, paused)
  await run(paused)
  t.match(await row(paused), { state: 'done', sha256: sha256(body) })
})
