// Our side of the bench: safe fetch with its breaker, and the downloader over a real document.
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import Fastify from 'fastify'
import fp from 'fastify-plugin'
import { MongoClient } from 'mongodb'
import breaker from '../../plugins/breaker.ts'
import { createFetchClient } from '../../plugins/fetch/client.ts'
import {
  collections, createDownloadRepository, createDownloader, createFlow, createLocalSlots, diskOf, type DownloadRow
} from '../../src/fetch/index.ts'
import { uuidv7, type Tx } from '../../src/kernel/index.ts'

export async function openOurs (host: string, mongoUrl: string) {
  const app = Fastify()
  await app.register(fp(async () => {}, { name: 'telemetry' }))
  await app.register(breaker)
  await app.ready()
  const fetch = createFetchClient({ allow: [host], userAgent: 'Switchyard/0 (+https://x.example)', breakers: app.breakers })
  const client = await new MongoClient(mongoUrl).connect()
  const db = client.db(`b${randomBytes(6).toString('hex')}`)
  for (const { name, indexes } of collections) {
    await db.collection(name).createIndexes(indexes.map(({ keys, ...rest }) => ({ key: keys, ...rest })))
  }
  const scratchDir = mkdtempSync(join(tmpdir(), 'switchyard-bench-'))
  const clock = { now: () => new Date(), ms: () => Date.now() }
  const downloads = createDownloadRepository(db, clock)
  const rows = db.collection<DownloadRow>('fetch.downloads')
  const tx = (async (work) => await client.withSession(async (session) =>
    await session.withTransaction(async () => await work(session)))) as Tx
  const carry = createDownloader({
    downloads,
    fetch,
    events: { emit: async () => uuidv7() } as never,
    quota: { reserve: async () => true, release: async () => {} },
    flow: createFlow({ process: 0, workspace: 0, download: 0 }),
    slots: createLocalSlots(),
    disk: diskOf,
    scratchDir,
    host: 'bench',
    boot: 'bench',
    segments: 1
  })

  return {
    fetch,
    scratchDir,
    /** Fetches, hashes and checks a file; it is not copied into a storage, which neither rival does. */
    async download (url: string, { segments, sha256 }: { segments: number, sha256: string }): Promise<void> {
      const workspaceId = uuidv7()
      const row = {
        _id: uuidv7(), workspaceId, url, canonicalUrl: url, purpose: 'bench', name: null, lane: 'bulk' as const,
        expect: { sha256 }, maxBytes: null, maxSegments: segments, fileId: uuidv7(), storageKey: `incoming/${uuidv7()}`
      }
      await tx(async (session) => await downloads.addMany(session, [row]))
      await carry({
        run: { id: uuidv7(), data: { workspaceId, downloadId: row._id, host } },
        attempt: 0,
        signal: new AbortController().signal,
        progress () {},
        commit: tx,
        wait () { throw new Error('no place') },
        log: { debug () {}, info () {}, warn () {}, error () {} }
      } as never, {
        put: async (key: string, body: Readable, { type }: { type: string }) => {
          body.destroy()
          return { key, bytes: 0, type, sha256 }
        }
      } as never)
      const ended = await rows.findOne({ _id: row._id })
      if (ended?.state !== 'done') throw new Error(`the download is ${ended?.state} ${ended?.errorCode ?? ''}`)
    },
    async close () {
      await fetch.close()
      await app.close()
      await db.dropDatabase()
      await client.close()
      rmSync(scratchDir, { recursive: true, force: true })
    }
  }
}

export type Ours = Awaited<ReturnType<typeof openOurs>>
