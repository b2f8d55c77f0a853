import exifr from 'exifr'
import t, { type Test } from 'tap'
import { uuidv7 } from '../../src/kernel/index.ts'
import { build, drain, type TestApp } from '../helper.ts'
import { readImages } from '../stand-ins/platforms/images.ts'
import { startWeb } from '../stand-ins/web.ts'

const workspaceId = uuidv7()

t.test('of the 321 files of the pool 319 become ready, two are corrupt, and no output tells a place', async (t) => {
  const web = await startWeb()
  t.teardown(async () => { await web.close() })
  const app = await build(t, { role: 'both', config: { FETCH_ALLOW: web.host } })
  const pool = readImages()
  for (const file of pool) web.file(`/${file.n}`, file.read(), { type: file.type, ignoresRanges: file.n === 0 })
  const requests = pool.map(({ n, sha256, bytes }) => ({
    workspaceId, url: `${web.origin}/${n}`, purpose: 'photo', expect: { sha256, bytes }
  }))
  const startedAt = performance.now()
  const asked = await app.tx(async (session) => await app.fetch.download(session, requests))
  await drain(app, { timeoutMs: 120_000 })
  t.comment(`${Math.round(performance.now() - startedAt)} ms`)

  const rows = await app.db.collection('fetch.downloads').find().toArray()
  t.equal(rows.length, 321)
  t.ok(rows.every(({ state, restarts }) => state === 'done' && restarts === 0))
  t.equal(rows.reduce((sum, { bytes }) => sum + Number(bytes), 0), 6_119_844)

  const files = await app.db.collection('media.files').find().toArray()
  const n = (fileId: unknown) => asked.findIndex((one) => one.fileId === fileId)
  t.equal(files.filter(({ state }) => state === 'ready').length, 319)
  t.same(files.filter(({ state }) => state !== 'ready').map(({ _id, reason }) => [n(_id), reason]).sort(), [
    [148, 'corrupt_file'], [289, 'corrupt_file']
  ])
  t.ok(files.every(({ scan }) => scan === 'none'))
  const events = app.db.collection('jobs.events')
  t.equal(await events.countDocuments({ type: 'media.file.ready' }), 319)
  t.equal(await events.countDocuments({ type: 'media.file.rejected' }), 2)
  t.equal(await app.db.collection('media.objects.files').countDocuments({ 'metadata.key': /^incoming/ }), 0)
  await checkOutputs(t, app, asked.map(({ fileId }) => fileId), pool)
})

interface Fetched { statusCode: number, rawPayload: Buffer, headers: Record<string, unknown> }

/** Each master and each thumbnail by its signed address, read by an EXIF parser. */
async function checkOutputs (
  t: Test, app: TestApp, fileIds: readonly string[], pool: ReturnType<typeof readImages>
): Promise<void> {
  const placed = await Promise.all(pool.map(async (file) => await placeOf(file.read())))
  t.same(placed.flatMap((place, n) => place.hasGps ? [n] : []), [64, 140, 276, 318], 'the parser sees places')
  t.same(placed.flatMap((place, n) => place.isPlaced ? [n] : []), [64, 276])

  const links = await app.media.links(workspaceId, fileIds)
  t.equal(links.size, 319)
  let served = 0
  for (const { url, thumbUrl } of links.values()) {
    for (const address of [url, thumbUrl]) {
      const answer = await app.inject({ url: address }) as Fetched
      const place = await placeOf(answer.rawPayload)
      if (answer.statusCode === 200 && !place.hasGps && !place.hasExif) served++
    }
  }
  t.equal(served, 638, 'each is served, none says where it was taken')
}

async function placeOf (bytes: Buffer) {
  const exif = await exifr.parse(bytes, { gps: true, mergeOutput: false }).catch(() => undefined)
  const { gps, ifd0 } = (exif ?? {}) as { gps?: { GPSLatitude?: unknown }, ifd0?: object }
  return {
    hasGps: gps !== undefined,
    isPlaced: gps?.GPSLatitude !== undefined,
    hasExif: ifd0 !== undefined || bytes.includes('Exif\0\0') || bytes.includes('eXIf')
  }
}
