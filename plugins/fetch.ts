import { readFileSync } from 'node:fs'
import { uptime } from 'node:os'
import fp from 'fastify-plugin'
import type { DownloadQuota, SafeFetch } from '../src/kernel/index.ts'
import {
  DownloadPageSchema, DownloadProgressSchema, DownloadQuerySchema, DownloadSchema, FetchError, NewDownloadSchema,
  collections, createDownloadAccess, createDownloadRepository, createDownloadService, createDownloader, createFlow,
  createLostDownloads, createSweep, diskOf, downloadCompleted, downloadFailed, downloadFile, downloadTopic, endDownload,
  permissions, presentProgress, sweepParts, type DownloadService, type Downloader, type LostDownloads, type Rates
} from '../src/fetch/index.ts'
import { createFetchClient } from './fetch/client.ts'
import { createQuotaDoor } from './fetch/quota.ts'
import { createSharedBucket, createSharedSlots } from './fetch/shared.ts'

declare module 'fastify' {
  interface FastifyInstance {
    fetch: SafeFetch
    downloads: DownloadService & {
      carry: Downloader
      endDead: LostDownloads['endDead']
      /** Ends downloads whose run is no more, and removes part files that nobody needs from this machine; how many. */
      sweep: (signal: AbortSignal) => Promise<{ ended: number, removed: number }>
      /** Hands up who keeps the quota of workspaces, once; without one there is no limit. */
      keepQuota: (keeper: DownloadQuota) => void
    }
  }
}

export interface FetchOptions {
  allow: readonly string[]
  contact: string
  version: string
  scratchDir: string
  segments: number
  rates: Rates
  offline: boolean
}

export default fp<FetchOptions>(async function fetch (app, options) {
  const { allow, contact, version, scratchDir, segments, rates } = options
  app.declare({
    domain: 'fetch',
    errors: FetchError,
    events: [downloadCompleted, downloadFailed],
    jobs: [downloadFile, sweepParts],
    subscribers: [endDownload],
    topics: [downloadTopic],
    permissions,
    collections,
    schemas: [DownloadSchema, NewDownloadSchema, DownloadPageSchema, DownloadQuerySchema, DownloadProgressSchema]
  })
  const client = createFetchClient({ allow, userAgent: `Switchyard/${version} (+${contact})`, breakers: app.breakers })
  const { buffer, stream, check } = client
  const { host } = app.processId
  const downloads = createDownloadRepository(app.db, app.clock)
  const access = createDownloadAccess(downloads)
  const quota = createQuotaDoor()
  const service = createDownloadService({ downloads, access, jobs: app.jobs, quota, tx: app.tx, check })
  const slots = createSharedSlots(app.scripts)
  const carry = createDownloader({
    downloads,
    fetch: client,
    events: app.events,
    quota,
    flow: createFlow(rates, createSharedBucket(app.scripts)),
    slots,
    disk: diskOf,
    scratchDir,
    host,
    boot: bootId(),
    segments
  })
  const sweep = createSweep({ downloads, scratchDir, host, clock: app.clock })
  app.decorate('fetch', { buffer, stream, check, download: service.add })
  const { runs, events, tx } = app
  const lost = createLostDownloads({ downloads, runs, events, quota, slots, tx, scratchDir })
  app.decorate('downloads', {
    ...service,
    carry,
    endDead: lost.endDead,
    sweep: async (signal) => ({ ended: await lost.sweep(signal), removed: await sweep(signal) }),
    keepQuota: quota.keep
  })
  app.live.bind(downloadTopic, {
    collection: 'fetch.downloads',
    params: async (documents) => documents.map(({ _id }) => [_id]),
    present: (document) => [{ kind: 'download', key: 'download', data: presentProgress(document) }],
    unfinished: { isActive: true }
  })
  app.addHook('onClose', async () => { await client.close() })
}, { name: 'fetch', dependencies: ['errors', 'mongo', 'cache', 'pubsub', 'queue', 'events', 'breaker'] })

/** Names this boot of the machine: what was written before it may not have reached the disk. */
function bootId (): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  } catch {
    return String(Math.round((performance.timeOrigin - uptime() * 1000) / 60_000))
  }
}
