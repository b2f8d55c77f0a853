import { createHash, randomBytes } from 'node:crypto'
import { crc32 } from 'node:zlib'
import sharp from 'sharp'
import t from 'tap'
import { createSigner, uuidv7 } from '../../src/kernel/index.ts'
import { createLinks } from '../../src/media/index.ts'
import { build, drain } from '../helper.ts'
import { startWeb } from '../stand-ins/web.ts'

const master = { id: 'test', bytes: randomBytes(32) }
const web = await startWeb()
t.teardown(async () => { await web.close() })
const app = await build(t, {
  role: 'both', config: { FETCH_ALLOW: web.host, MASTER_KEYS: `test:${master.bytes.toString('hex')}` }
})

async function picture (): Promise<Buffer> {
  return await sharp(randomBytes(120 * 80 * 3), { raw: { width: 120, height: 80, channels: 3 } }).jpeg().toBuffer()
}

async function ask (workspaceId: string, path: string, purpose = 'photo'): Promise<string> {
  const request = { workspaceId, url: web.origin + path, purpose }
  const [made] = await app.tx(async (session) => await app.fetch.download(session, [request]))
  return made?.fileId ?? ''
}

async function linksOf (workspaceId: string, fileId: string) {
  const [links] = (await app.media.links(workspaceId, [fileId])).values()
  return links ?? { url: '', thumbUrl: '', expiresAt: '' }
}

t.test('a picture is served by its signed address as HTTP says', async (t) => {
  const workspaceId = uuidv7()
  web.file('/a', await picture(), { type: 'image/jpeg' })
  const fileId = await ask(workspaceId, '/a')
  t.equal((await app.media.links(workspaceId, [fileId])).size, 0, 'no address before it is ready')
  await drain(app)
  const { url, thumbUrl, expiresAt } = await linksOf(workspaceId, fileId)
  t.ok(Date.parse(expiresAt) > Date.now() + 3_500_000)
  t.equal((await app.media.links(uuidv7(), [fileId])).size, 0, 'another workspace sees no file')

  const whole = await app.inject({ url })
  const bytes = whole.rawPayload
  const etag = `"${createHash('sha256').update(bytes).digest('hex')}"`
  t.equal(whole.statusCode, 200)
  t.match(whole.headers, {
    etag,
    'content-type': 'image/jpeg',
    'content-length': String(bytes.length),
    'cache-control': /^private, max-age=\d+/,
    'x-content-type-options': 'nosniff',
    'content-security-policy': "default-src 'none'; sandbox",
    'cross-origin-resource-policy': 'same-site',
    'accept-ranges': 'bytes'
  })
  const thumb = (await app.inject({ url: thumbUrl })).rawPayload
  t.match(await sharp(thumb).metadata(), { format: 'webp', width: 120, height: 80 })

  const head = await app.inject({ method: 'HEAD', url })
  t.match([head.statusCode, head.headers['content-length'], head.headers['etag'], head.rawPayload.length],
    [200, String(bytes.length), etag, 0])
  const size = bytes.length
  const table: Array<[Record<string, string>, number, Buffer, string | undefined]> = [
    [{ range: 'bytes=0-9' }, 206, bytes.subarray(0, 10), `bytes 0-9/${size}`],
    [{ range: 'bytes=10-' }, 206, bytes.subarray(10), `bytes 10-${size - 1}/${size}`],
    [{ range: 'bytes=-5' }, 206, bytes.subarray(-5), `bytes ${size - 5}-${size - 1}/${size}`],
    [{ range: `bytes=5-${size * 2}` }, 206, bytes.subarray(5), `bytes 5-${size - 1}/${size}`],
    [{ range: 'bytes=0-1,4-5' }, 200, bytes, undefined],
    [{ range: 'bytes=9-2' }, 200, bytes, undefined],
    [{ range: 'lines=1-2' }, 200, bytes, undefined],
    [{ range: `bytes=${size}-` }, 416, Buffer.alloc(0), `bytes */${size}`],
    [{ range: 'bytes=-0' }, 416, Buffer.alloc(0), `bytes */${size}`],
    [{ range: 'bytes=0-9', 'if-range': etag }, 206, bytes.subarray(0, 10), `bytes 0-9/${size}`],
    [{ range: 'bytes=0-9', 'if-range': '"other"' }, 200, bytes, undefined],
    [{ 'if-none-match': etag }, 304, Buffer.alloc(0), undefined],
    [{ 'if-none-match': `"x", W/${etag}`, range: 'bytes=0-1' }, 304, Buffer.alloc(0), undefined]
  ]
  for (const [headers, status, body, contentRange] of table) {
    const answer = await app.inject({ url, headers })
    const got = [answer.statusCode, answer.headers['content-range'], answer.rawPayload.equals(body)]
    t.same(got, [status, contentRange, true], JSON.stringify(headers))
  }
})

t.test('an address that was not signed, was changed or has expired gives nothing', async (t) => {
  const workspaceId = uuidv7()
  web.file('/signed', await picture())
  const fileId = await ask(workspaceId, '/signed')
  await drain(app)
  const { url } = await linksOf(workspaceId, fileId)
  const parsed = new URL(url, 'http://x')
  const change = (name: string, value: string) => {
    const changed = new URL(parsed)
    changed.searchParams.set(name, value)
    return changed.pathname + changed.search
  }
  const cases: Array<[string, number, string]> = [
    [parsed.pathname, 403, 'media.link_invalid'],
    [change('s', 'x'.repeat(43)), 403, 'media.link_invalid'],
    [change('e', '99999999999'), 403, 'media.link_invalid'],
    [change('k', 'other'), 403, 'media.link_invalid'],
    [change('d', 'attachment'), 403, 'media.link_invalid'],
    [url.replace('/content.', '/thumb.'), 403, 'media.link_invalid'],
    [url.replace(workspaceId, uuidv7()), 403, 'media.link_invalid'],
    [url.replace('/content.', '/../content.'), 404, 'http.route_not_found']
  ]
  for (const [address, status, code] of cases) {
    const answer = await app.inject({ url: address })
    t.same([answer.statusCode, answer.json().code], [status, code], address)
  }
})

t.test('a good signature opens nothing before the file is ready, after its time, or of an unknown hash', async (t) => {
  const links = createLinks(createSigner([master], 'media-links'), '')
  const target = { workspaceId: uuidv7(), hash: 'a'.repeat(64), preset: 'content', type: 'image/jpeg' }
  const codeOf = async (url: string) => (await app.inject({ url })).json().code
  t.equal(await codeOf(links.of(target, Math.floor(Date.now() / 1000) - 1)), 'media.link_expired')
  t.equal(await codeOf(links.of(target, Math.floor(Date.now() / 1000) + 60)), 'media.file_not_found')
})

t.test('what is not what it says is rejected with its reason, once, and its bytes go', async (t) => {
  const workspaceId = uuidv7()
  const png = await sharp(await picture()).png().toBuffer()
  const asked: Record<string, string> = {}
  const cases: Array<[string, Buffer, string, string]> = [
    ['html', Buffer.from('<!doctype html><p>no picture'), 'image/jpeg', 'unknown_type'],
    ['svg', Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>'), 'image/svg+xml', 'unknown_type'],
    ['png-as-jpeg', png, 'image/jpeg', 'type_mismatch'],
    ['pdf', Buffer.from('%PDF-1.7\n%%EOF'), 'application/pdf', 'type_mismatch'],
    ['cut', png.subarray(0, png.length / 2), 'image/png', 'corrupt_file'],
    ['huge', hugePng(), 'image/png', 'dimensions_exceeded']
  ]
  for (const [name, body, type] of cases) {
    web.file(`/${name}`, body, { type })
    asked[name] = await ask(workspaceId, `/${name}`)
  }
  web.file('/other', png, { type: 'text/plain' })
  await ask(workspaceId, '/other', 'download')
  await drain(app)
  const files = app.db.collection<{ _id: string }>('media.files')
  for (const [name, , , reason] of cases) {
    const file = await files.findOne({ _id: asked[name] as string })
    t.match(file, { state: 'rejected', reason, scan: 'none' }, name)
  }
  t.equal(await files.countDocuments({ workspaceId }), cases.length, 'a purpose that is not of media makes no file')
  const rejected = { workspaceId, type: 'media.file.rejected' }
  t.equal(await app.db.collection('jobs.events').countDocuments(rejected), cases.length)
  const kept = await app.db.collection('media.objects.files').countDocuments({ 'metadata.key': /^incoming/ })
  t.equal(kept, 1, 'only the one that no pipeline has taken')
})

t.test('equal pictures are one blob inside a workspace, and two across workspaces', async (t) => {
  const [workspaceId, other] = [uuidv7(), uuidv7()]
  const body = await picture()
  for (const path of ['/equal-1', '/equal-2']) web.file(path, body)
  const files = [await ask(workspaceId, '/equal-1'), await ask(workspaceId, '/equal-2')]
  await ask(other, '/equal-1')
  await drain(app)
  const of = { workspaceId: { $in: [workspaceId, other] } }
  t.equal(await app.db.collection('media.files').countDocuments({ ...of, state: 'ready' }), 3)
  t.equal(await app.db.collection('media.blobs').countDocuments(of), 2)
  const urls = [...(await app.media.links(workspaceId, files)).values()].map(({ url }) => url)
  t.equal(new Set(urls).size, 1)
})

/** A header that claims 30,000 x 30,000 pixels. */
function hugePng (): Buffer {
  const header = Buffer.alloc(17)
  header.write('IHDR')
  header.writeUInt32BE(30_000, 4)
  header.writeUInt32BE(30_000, 8)
  header.set([8, 6, 0, 0, 0], 12)
  const sum = Buffer.alloc(4)
  sum.writeUInt32BE(crc32(header))
  const parts = ['89504e470d0a1a0a', '0000000d'].map((hex) => Buffer.from(hex, 'hex'))
  return Buffer.concat([...parts, header, sum, Buffer.from('0000000049444154', 'hex'), Buffer.alloc(64)])
}
