// Looks for secrets, plain, in base64 and in hex, wherever the product keeps or sends bytes.
import { readFileSync } from 'node:fs'
import { mkdir, readdir, rm, writeFile, appendFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { BSON, MongoClient } from 'mongodb'
import { watchersOf, type Job } from './job.ts'

const planted = 'planted-4f1d2c9be8a7'

interface Found { hits: string[], isBlind: string[] }
type Place = () => AsyncIterable<[string, Buffer]>

/** Where a word was found, and the places where a planted one was not. */
export async function scan (job: Job, words: readonly string[]): Promise<Found> {
  const needles = words.flatMap(formsOf)
  const bait = formsOf(planted)
  const mongo = await new MongoClient(job.stage.stores.mongoUrl).connect()
  const redis = new Redis(job.stage.stores.redisUrl)
  const found: Found = { hits: [], isBlind: [] }
  try {
    const undo = await plant(job, mongo, redis)
    const places: Record<string, Place> = {
      database: () => documents(mongo, job),
      redis: () => redisValues(redis),
      logs: () => folder(job.stage.folders.logs),
      frames: () => frames(job),
      'part files': () => folder(job.stage.folders.scratch)
    }
    for (const [name, place] of Object.entries(places)) {
      let isSeen = false
      for await (const [where, bytes] of place()) {
        const text = bytes.toString('latin1')
        isSeen ||= bait.some((needle) => text.includes(needle))
        const hit = needles.find((needle) => text.includes(needle))
        if (hit !== undefined) found.hits.push(`${name}: ${where} holds ${hit.slice(0, 6)}…`)
      }
      if (!isSeen) found.isBlind.push(name)
    }
    await undo()
  } finally {
    await mongo.close()
    redis.disconnect()
  }
  return found
}

/** A word as it may be written: base64 at each of its three alignments, without the ends that neighbours share. */
function formsOf (word: string): string[] {
  const aligned = [0, 1, 2].map((shift) => {
    const text = Buffer.concat([Buffer.alloc(shift), Buffer.from(word)]).toString('base64')
    return text.slice(shift === 0 ? 0 : 4, -4).replace(/=+$/, '')
  })
  const urlSafe = aligned.map((text) => text.replaceAll('+', '-').replaceAll('/', '_'))
  const forms = new Set([word, ...aligned, ...urlSafe, Buffer.from(word).toString('hex')])
  return [...forms].filter(({ length }) => length >= 12)
}

async function plant (job: Job, mongo: MongoClient, redis: Redis): Promise<() => Promise<void>> {
  const { stores: { database, prefix }, folders: { logs, scratch } } = job.stage
  const part = join(scratch, 'planted.part')
  const log = join(logs, 'planted.log')
  const row = mongo.db(database).collection<{ _id: string }>('sys.planted')
  await mkdir(scratch, { recursive: true })
  await row.insertOne({ _id: planted })
  await redis.set(`${prefix}:planted`, planted)
  await writeFile(part, planted)
  await appendFile(log, planted)
  job.watchers.W.frames.push(planted)
  return async () => {
    await row.drop()
    await redis.del(`${prefix}:planted`)
    await rm(part)
    await rm(log)
    job.watchers.W.frames.pop()
  }
}

async function * documents (mongo: MongoClient, job: Job): AsyncGenerator<[string, Buffer]> {
  const db = mongo.db(job.stage.stores.database)
  for (const { name } of await db.listCollections({ type: 'collection' }, { nameOnly: true }).toArray()) {
    for await (const document of db.collection(name).find()) yield [name, Buffer.from(BSON.serialize(document))]
  }
}

async function * redisValues (redis: Redis): AsyncGenerator<[string, Buffer]> {
  for await (const keys of redis.scanStream({ count: 500 }) as AsyncIterable<string[]>) {
    for (const key of keys) {
      const dump = await redis.dumpBuffer(key) as Buffer | null
      yield [key, Buffer.concat([Buffer.from(key), dump ?? Buffer.alloc(0), await readable(redis, key)])]
    }
  }
}

/** A dump is compressed; what a key holds is read in its own form too. */
async function readable (redis: Redis, key: string): Promise<Buffer> {
  const type = await redis.type(key)
  const read: Record<string, () => Promise<unknown>> = {
    string: async () => await redis.get(key),
    hash: async () => await redis.hgetall(key),
    list: async () => await redis.lrange(key, 0, -1),
    set: async () => await redis.smembers(key),
    zset: async () => await redis.zrange(key, '0', '-1'),
    stream: async () => await redis.xrange(key, '-', '+')
  }
  const value = await read[type]?.()
  return Buffer.from(typeof value === 'string' ? value : JSON.stringify(value ?? ''))
}

async function * folder (path: string): AsyncGenerator<[string, Buffer]> {
  const entries = await readdir(path, { recursive: true, withFileTypes: true })
  for (const entry of entries) {
    if (!entry.isFile()) continue
    const file = join(entry.parentPath, entry.name)
    yield [entry.name, readFileSync(file)]
  }
}

async function * frames (job: Job): AsyncGenerator<[string, Buffer]> {
  for (const { name, frames: texts } of watchersOf(job)) {
    for (const text of texts) yield [`a frame at ${name}`, Buffer.from(text)]
  }
}
