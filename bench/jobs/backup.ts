// J15: a backup of small documents, against a bare cursor that is drained into gzip.
import { randomBytes } from 'node:crypto'
import { createWriteStream, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import { MongoClient, type Db } from 'mongodb'
import { createDumpRepository, createFolderStore } from '../../src/jobs/index.ts'
import { writeBackup } from '../../src/jobs/backup/writer.ts'
import { uuidv7 } from '../../src/kernel/index.ts'
import { interleave, type Verdict } from '../measure.ts'

export interface BackupBench { mongoUrl: string, documents?: number, rounds?: number }

/** Documents a second, ours and bare. */
export async function measureBackup (
  { mongoUrl, documents = 1_000_000, rounds = 5 }: BackupBench
): Promise<Verdict[]> {
  const client = new MongoClient(mongoUrl)
  const db = client.db(`b${randomBytes(6).toString('hex')}`)
  const dir = mkdtempSync(join(tmpdir(), 'switchyard-bench-'))
  try {
    await fill(db, documents)
    const ours = { name: 'backup', run: async () => documents / await seconds(async () => { await backUp(db, dir) }) }
    const bare = {
      name: 'cursor to gzip', run: async () => documents / await seconds(async () => { await drain(db, dir) })
    }
    const measured = await interleave([ours, bare], { rounds })
    return [{
      id: 'J15',
      what: `backup of ${documents.toLocaleString('en')} small documents`,
      unit: 'documents/s',
      ours: measured.get(ours.name) as Verdict['ours'],
      baseline: measured.get(bare.name) as Verdict['baseline'],
      must: { atLeast: 0.6 },
      goal: 0.8
    }]
  } finally {
    await db.dropDatabase()
    await client.close()
    rmSync(dir, { recursive: true, force: true })
  }
}

async function seconds (work: () => Promise<void>): Promise<number> {
  const startedMs = performance.now()
  await work()
  return (performance.now() - startedMs) / 1000
}

async function fill (db: Db, documents: number): Promise<void> {
  const per = 20_000
  for (let from = 0; from < documents; from += per) {
    await db.collection('bench.rows').insertMany(Array.from({ length: Math.min(per, documents - from) }, (_, i) => ({
      name: `row ${from + i}`, at: new Date(), n: (from + i) * 7919 % 1_000_003, token: randomBytes(8).toString('hex')
    })), { ordered: false })
  }
}

async function backUp (db: Db, dir: string): Promise<void> {
  const id = uuidv7()
  const store = createFolderStore(dir)
  await writeBackup({ dump: createDumpRepository(db), store, key: randomBytes(32), codeVersion: '0' }, {
    id, startedAt: new Date(), signal: new AbortController().signal, onParts: async () => {}
  })
  await store.remove(id)
}

/** Raw documents, batch by batch, through gzip as it comes, into a file. */
async function drain (db: Db, dir: string): Promise<void> {
  const cursor = db.collection('bench.rows').find({}, { raw: true })
  async function * batches (): AsyncGenerator<Buffer> {
    while (await cursor.hasNext()) yield Buffer.concat(cursor.readBufferedDocuments() as unknown as Uint8Array[])
  }
  await pipeline(Readable.from(batches(), { objectMode: false }), createGzip(), createWriteStream(join(dir, 'bare.gz')))
}
