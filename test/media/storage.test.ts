import { createHash, randomBytes } from 'node:crypto'
import { Readable } from 'node:stream'
import t from 'tap'
import { MongoServerError } from 'mongodb'
import { createGridFsStorage } from '../../plugins/storage/gridfs.ts'
import { build } from '../helper.ts'

const KiB = 1024
const app = await build(t)
const { storage, db } = app

async function read (key: string, range?: { start: number, end: number }): Promise<Buffer | null> {
  const body = await storage.get(key, range === undefined ? {} : { range })
  return body === null ? null : Buffer.concat(await body.toArray() as Buffer[])
}

t.test('what was put is what is got, of every size, as buffer and as stream, in every range', async (t) => {
  for (const size of [0, 1, 512 * KiB - 1, 512 * KiB, 512 * KiB + 1, 3_000_000]) {
    const body = randomBytes(size)
    const sha256 = createHash('sha256').update(body).digest('hex')
    for (const [kind, source] of [['buffer', body], ['stream', Readable.from(odd(body))]] as const) {
      const key = `${kind}/${size}`
      t.same(await storage.put(key, source, { type: 'x/y' }), { key, bytes: size, type: 'x/y', sha256 })
      t.same(await storage.head(key), { key, bytes: size, type: 'x/y', sha256 })
      t.ok((await read(key))?.equals(body), key)
      for (let n = 0; n < 10 && size > 1; n++) {
        const start = Math.floor(Math.random() * size)
        const end = start + Math.floor(Math.random() * (size - start))
        t.ok((await read(key, { start, end }))?.equals(body.subarray(start, end + 1)), `${key} ${start}-${end}`)
      }
    }
  }
})

t.test('the first writer of a key wins, and the others leave nothing behind', async (t) => {
  const bodies = Array.from({ length: 12 }, (_, n) => Buffer.alloc(700 * KiB, n))
  const answers = await Promise.all(bodies.map(async (body, n) =>
    await storage.put('race', n % 2 === 0 ? body : Readable.from(odd(body)), { type: 'x/y' })))
  const kept = await read('race')
  t.equal(new Set(answers.map(({ sha256 }) => sha256)).size, 1)
  t.equal(answers[0]?.sha256, createHash('sha256').update(kept as Buffer).digest('hex'))
  const [file] = await db.collection('media.objects.files').find({ 'metadata.key': 'race' }).toArray()
  const chunks = db.collection('media.objects.chunks')
  t.equal(await chunks.countDocuments({ files_id: file?._id }), 2)
  await storage.delete('race')
  t.equal(await read('race'), null)
  t.equal(await chunks.countDocuments({ files_id: file?._id }), 0)
  const known = await db.collection('media.objects.files').distinct('_id')
  t.equal(await chunks.countDocuments({ files_id: { $nin: known } }), 0)
})

t.test('bytes that are not the announced ones, and a stream that breaks, leave nothing', async (t) => {
  const chunks = db.collection('media.objects.chunks')
  const before = await chunks.countDocuments()
  await t.rejects(storage.put('wrong', randomBytes(10), { type: 'x/y', sha256: 'a'.repeat(64) }), /not the ones announced/)
  const broken = Readable.from((async function * () {
    yield Buffer.alloc(800 * KiB)
    throw new Error('broke')
  })())
  await t.rejects(storage.put('broken', broken, { type: 'x/y' }), { message: 'broke' })
  t.same([await storage.head('wrong'), await storage.head('broken')], [null, null])
  t.equal(await chunks.countDocuments(), before)
})

t.test('a server without room is told from other troubles', async (t) => {
  const saying = (code: number) => {
    const collection = (name: string) => Object.assign(db.collection(name), name.endsWith('.chunks') && {
      insertOne: async () => { throw new MongoServerError({ errmsg: 'the server says it', code }) }
    })
    return createGridFsStorage(Object.create(db, { collection: { value: collection } }) as typeof db, app.clock)
  }
  for (const body of [randomBytes(10), Readable.from(odd(randomBytes(10)))]) {
    await t.rejects(saying(14031).put('no room', body, { type: 'x/y' }), { code: 'storage.full' })
  }
  await t.rejects(saying(8).put('no room', randomBytes(10), { type: 'x/y' }), { code: 8 })
})

function * odd (body: Buffer): Generator<Buffer> {
  for (let at = 0; at < body.length; at += 99_991) yield body.subarray(at, at + 99_991)
}

t.test('a name without its bytes, as a store that died leaves it, is healed by the next writer', async (t) => {
  const body = randomBytes(1000)
  await storage.put('lost', body, { type: 'x/y' })
  const file = await db.collection('media.objects.files').findOne({ 'metadata.key': 'lost' })
  await db.collection('media.objects.chunks').deleteMany({ files_id: file?._id })
  await t.rejects(storage.get('lost'), { code: 'storage.bytes_lost' })
  await storage.put('lost', body, { type: 'x/y' })
  t.ok((await read('lost'))?.equals(body))
})
