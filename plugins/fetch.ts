import { readFileSync } from 'node:fs'
import { uptime } from 'node:os'
import fp from 'fastify-plugin'
import type { SafeFetch } from '../src/kernel/index.ts'
import {
  DownloadPageSchema, DownloadProgressSchema, DownloadQuerySchema, DownloadSchema, FetchError, NewDownloadSchema,
  collections, createDownloadAccess, createDownloadRepository, createDownloadService, createDownloader,
  downloadCompleted, downloadFailed, downloadFile, downloadTopic, permissions, presentProgress,
  type DownloadService, type Downloader
} from '../src/fetch/index.ts'
import { createFetchClient } from './fetch/client.ts'

declare module 'fastify' {
  interface FastifyInstance {
    fetch: SafeFetch
    downloads: DownloadService & { carry: Downloader }
  }
}

export interface FetchOptions {
  allow: readonly string[]
  contact: string
  version: string
  scratchDir: string
  offline: boolean
}

export default fp<FetchOptions>(async function fetch (app, { allow, contact, version, scratchDir }) {
  app.declare({
    domain: 'fetch',
    errors: FetchError,
    events: [downloadCompleted, downloadFailed],
    jobs: [downloadFile],
    topics: [downloadTopic],
    permissions,
    collections,
    schemas: [DownloadSchema, NewDownloadSchema, DownloadPageSchema, DownloadQuerySchema, DownloadProgressSchema]
  })
  const client = createFetchClient({ allow, userAgent: `Switchyard/${version} (+${contact})`, breakers: app.breakers })
  const { buffer, stream, check } = client
  const downloads = createDownloadRepository(app.db, app.clock)
  const access = createDownloadAccess(downloads)
  const service = createDownloadService({ downloads, access, jobs: app.jobs, tx: app.tx, check })
  const carry = createDownloader({
    downloads, fetch: client, events: app.events, scratchDir, host: app.processId.host, boot: bootId()
  })
  app.decorate('fetch', { buffer, stream, check, download: service.add })
  app.decorate('downloads', { ...service, carry })
  app.live.bind(downloadTopic, {
    collection: 'fetch.downloads',
    params: async (documents) => documents.map(({ _id }) => [_id]),
    present: (document) => [{ kind: 'download', key: 'download', data: presentProgress(document) }],
    unfinished: { isActive: true }
  })
  app.addHook('onClose', async () => { await client.close() })
}, { name: 'fetch', dependencies: ['errors', 'mongo', 'pubsub', 'queue', 'events', 'breaker'] })

/** Names this boot of the machine: what was written before it may not have reached the disk. */
function bootId (): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  } catch {
    return String(Math.round((performance.timeOrigin - uptime() * 1000) / 60_000))
  }
}
