import { createHash, randomBytes } from 'node:crypto'
import { existsSync, readdirSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { join } from 'node:path'
import t from 'tap'
import type { ServedFile, Web } from '../stand-ins/web.ts'
import { piecesOf, rig, workspaceId } from './rig.ts'

const MiB = 1024 * 1024
const sha256 = (body: Buffer) => createHash('sha256').update(body).digest('hex')

/** After the first whole answer broke off, the file is another one. */
function switching (web: Web, served: ServedFile, fresh: Buffer) {
  return (request: IncomingMessage, reply: ServerResponse) => {
    const { body } = served
    const etag = served.etag as string
    if (request.headers['range'] === 'bytes=0-0') {
      reply.writeHead(206, { etag, 'content-range': `bytes 0-0/${body.length}` }).end(body.subarray(0, 1))
      return
    }
    web.file('/a', fresh)
    reply.writeHead(200, { etag, 'content-length': body.length })
    reply.write(body.subarray(0, served.cuts[0]), () => { setTimeout(() => reply.destroy(), 50) })
  }
}

t.test('a small file goes through every state, each seen by a change stream, and ends in storage', async (t) => {
  const { web, ask, run, row, stored, emitted, folder, db } = await rig(t)
  const body = randomBytes(40_000)
  web.file('/a', body, { type: 'image/png; charset=x' })
  const stream = db.collection('fetch.downloads').watch()
  const seen: Array<{ state: unknown, version: unknown, bytes: unknown }> = []
  stream.on('change', (change) => {
    const fields = change.operationType === 'update'
      ? change.updateDescription.updatedFields ?? {}
      : change.operationType === 'insert' ? change.fullDocument : {}
    seen.push({ state: fields['state'], version: fields['version'], bytes: fields['bytes'] })
  })
  await new Promise((resolve) => { setTimeout(resolve, 100) })
  const id = await ask('/a', { expect: { sha256: sha256(body), bytes: body.length } })
  await run(id)
  for (let waits = 0; seen.at(-1)?.state !== 'done' && waits < 100; waits++) {
    await new Promise((resolve) => { setTimeout(resolve, 20) })
  }
  await stream.close()
  t.same(seen.map(({ state }) => state), ['queued', 'probing', 'downloading', 'verifying', 'storing', 'done'])
  t.same(seen.map(({ version }) => version), [1, 2, 3, 4, 5, 6])
  t.match(await row(id), {
    state: 'done',
    isActive: false,
    bytes: body.length,
    total: body.length,
    restarts: 0,
    sha256: sha256(body),
    type: 'image/png'
  })
  t.same(await stored(id), body)
  const data = { downloadId: id, bytes: body.length, type: 'image/png' }
  t.match(emitted, [{ name: 'fetch.download.completed', data }])
  t.same(readdirSync(join(folder, 'parts')), [], 'no part is left')
})

t.test('a host that answers 200 to every range gives the file in one request, without a restart', async (t) => {
  const { web, ask, run, row, stored } = await rig(t)
  const body = randomBytes(100_000)
  web.file('/a', body, { ignoresRanges: true })
  const id = await ask('/a')
  await run(id)
  t.match(await row(id), { state: 'done', restarts: 0, bytes: body.length })
  t.same(await stored(id), body)
  t.equal(web.requests.length, 1)
})

t.test('a cut goes on where the bytes end, also inside a second piece', async (t) => {
  const { web, ask, run, row, stored, ranges } = await rig(t)
  const body = randomBytes(12 * MiB)
  const served = web.file('/big', body)
  served.cuts.push(6 * MiB + 12_345)
  const id = await ask('/big', { expect: { sha256: sha256(body) } })
  await run(id)
  const [first, rest, ...more] = ranges('/big')
  t.same([first, more], [null, []])
  t.match(rest, /^bytes=\d+-$/)
  const offset = Number(/\d+/.exec(String(rest))?.[0])
  t.ok(offset > 4 * MiB && offset <= 6 * MiB + 12_345, `goes on at ${offset}`)
  const ended = await row(id)
  t.match(ended, { state: 'done', restarts: 0, bytes: body.length, sha256: sha256(body) })
  t.same(ended.pieceHashes, piecesOf(body))
  t.same(sha256(await stored(id) as Buffer), sha256(body))
})

t.test('bytes of two versions are never joined, and what is shown never falls', async (t) => {
  const { web, ask, run, row, stored, rows } = await rig(t)
  const old = randomBytes(2 * MiB)
  const fresh = randomBytes(MiB)
  const served = web.file('/a', old)
  served.cuts.push(MiB + MiB / 2)
  const shown: number[] = []
  const id = await ask('/a')
  web.on('/a', switching(web, served, fresh))
  let isOver = false
  const running = run(id).finally(() => { isOver = true })
  while (!isOver) shown.push((await rows.findOne({ _id: id }))?.bytes ?? 0)
  await running
  t.match(await row(id), { state: 'done', restarts: 1, sha256: sha256(fresh), total: fresh.length })
  t.same(await stored(id), fresh)
  t.same(shown, shown.toSorted((a, b) => a - b))
})

t.test('another start goes on at the part file of this machine, and never at that of another', async (t) => {
  const here = await rig(t)
  const body = randomBytes(3 * MiB)
  const served = here.web.file('/a', body, { bytesPerSecond: 4 * MiB })
  const id = await here.ask('/a')
  const stop = new AbortController()
  setTimeout(() => stop.abort(new Error('shutdown')), 350)
  await t.rejects(here.run(id, { signal: stop.signal }), { message: 'shutdown' })
  const left = await here.row(id)
  t.match(left, { state: 'downloading', isActive: true, part: { host: 'here' } })
  t.ok((left.part?.lengths[0] ?? 0) > 0 && existsSync(join(here.folder, 'parts', `${id}.0`)))
  served.cuts.length = 0
  await here.run(id)
  t.match(await here.row(id), { state: 'done', restarts: 0, sha256: sha256(body) })
  t.match(here.ranges('/a').at(-1), /^bytes=[1-9]/)

  const there = await rig(t, { host: 'there', database: here.db.databaseName })
  there.web.file('/a', body)
  const other = await there.ask('/a')
  await there.rows.updateOne({ _id: other }, {
    $set: {
      part: { host: 'here', boot: 'boot', lengths: [100] }, bytes: 100, isRanged: true, validators: left.validators
    }
  })
  await there.run(other)
  t.match(await there.row(other), { state: 'done', restarts: 1, sha256: sha256(body) })
})

t.test('a file that is whole is not fetched again where only the storage failed, even without ranges', async (t) => {
  const { web, ask, run, row, rows, storage } = await rig(t)
  web.file('/a', randomBytes(100_000), { ignoresRanges: true })
  const id = await ask('/a')
  const put = storage.put
  storage.put = async () => { throw new Error('the store is gone') }
  await t.rejects(run(id), { message: 'the store is gone' })
  storage.put = put
  await run(id)
  t.match(await row(id), { state: 'done', restarts: 0 })
  t.equal(web.requests.length, 1)
  t.equal(await rows.countDocuments(), 1)
})

t.test('wrong bytes, refusals and limits end the download with their code', async (t) => {
  const { web, ask, run, row, emitted } = await rig(t)
  web.file('/a', randomBytes(50_000))
  web.on('/gone', (_request, reply) => { reply.writeHead(410).end() })
  web.on('/down', (_request, reply) => { reply.writeHead(503).end() })
  web.on('/later', (_request, reply) => { reply.writeHead(429, { 'retry-after': '7' }).end() })
  const cases: Array<[string, object, string]> = [
    ['/a', { expect: { sha256: sha256(Buffer.from('x')) } }, 'fetch.checksum'],
    ['/a', { expect: { bytes: 1 } }, 'fetch.checksum'],
    ['/a', { maxBytes: 100 }, 'fetch.too_large'],
    ['/gone', {}, 'fetch.refused'],
    ['/nothing', {}, 'fetch.refused']
  ]
  for (const [path, more, code] of cases) {
    const id = await ask(path, more)
    await run(id)
    t.match(await row(id), { state: 'failed', errorCode: code, isActive: false })
    t.match(emitted.at(-1), { name: 'fetch.download.failed', data: { downloadId: id, code } })
  }
  t.match(emitted.slice(-2).map(({ data }) => data['status']), [410, 404])
  const down = await ask('/down')
  await t.rejects(run(down), { code: 'fetch.host_unavailable' })
  await t.rejects(run(down, { attempt: 18 }), { code: 'fetch.host_unavailable' })
  t.match(await row(down), { isActive: true })
  await run(down, { attempt: 19 })
  t.match(await row(down), { state: 'failed', errorCode: 'fetch.host_unavailable', errorStatus: 503 })
  const later = await ask('/later')
  await t.rejects(run(later, { attempt: 19 }), { code: 'fetch.host_throttled', options: { retryAfterMs: 7000 } })
  web.on('/dated', (_request, reply) => {
    reply.sendDate = false
    const headers = { date: 'Wed, 25 Nov 2026 10:00:00 GMT', 'retry-after': 'Wed, 25 Nov 2026 10:01:00 GMT' }
    reply.writeHead(503, headers).end()
  })
  const dated = await ask('/dated')
  await t.rejects(run(dated), { code: 'fetch.host_unavailable', options: { retryAfterMs: 60_000 } })
})

t.test('one address is on its way once, and a paused download goes on', async (t) => {
  const { web, ask, run, row, service, actor, tx } = await rig(t)
  const body = randomBytes(2 * MiB)
  web.file('/a', body, { bytesPerSecond: 2 * MiB })
  const [id, ...others] = await Promise.all(Array.from({ length: 10 }, async () => await ask('/a#x')))
  t.same(new Set([id, ...others]).size, 1)
  const request = { workspaceId, url: `${web.origin}/a`, purpose: 'photo' }
  const other = { ...request, url: `${web.origin}/b` }
  const many = await tx(async (session) => await service.add(session, [request, other, request]))
  t.same(many.map((one) => one.isNew), [false, true, false])
  t.same([many[0]?.id, many[2]?.id], [id, id])
  const running = run(id as string)
  await new Promise((resolve) => { setTimeout(resolve, 300) })
  t.match(await service.pause(actor, id as string), { state: 'paused' })
  await running
  const paused = await row(id as string)
  t.match(paused, { state: 'paused', isActive: true })
  await run(id as string)
  t.match(await row(id as string), { state: 'paused' }, 'a late start finds nothing to do')
  await service.resume(actor, id as string)
  await run(id as string)
  t.match(await row(id as string), { state: 'done', restarts: 0, sha256: sha256(body) })
  await t.rejects(service.cancel(actor, id as string), { code: 'fetch.download_ended' })
  await t.rejects(service.get({ ...actor, workspaceId: 'other' }, id as string), { code: 'fetch.download_not_found' })
})

t.test('a store that forgot who carries a transfer: it is carried again, and nobody calls it done', async (t) => {
  const { web, ask, run, row, rows, stored } = await rig(t)
  const body = randomBytes(12 * MiB)
  web.file('/forgotten', body, { bytesPerSecond: 12 * MiB })
  const id = await ask('/forgotten')
  const refused = t.rejects(run(id), { code: 'http.store_unavailable' })
  while ((await row(id)).claim === null) await new Promise((resolve) => { setImmediate(resolve) })
  await rows.updateOne({ _id: id }, { $set: { claim: null, state: 'queued' } })
  await refused
  await run(id)
  t.match(await row(id), { state: 'done', restarts: 0 })
  t.ok((await stored(id))?.equals(body))
})
