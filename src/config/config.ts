import type { MasterKey } from '../kernel/index.ts'

export type Environment = 'development' | 'production' | 'test'

export const domains = [
  'identity', 'social', 'media', 'analytics', 'notifications'
] as const
export type Domain = typeof domains[number]

/** Nested, frozen, cross-checked; only `plugins/index.ts` and entrypoints see all of it. */
export interface Config {
  environment: Environment
  version: string
  logLevel: string
  metricsPort: number
  metricsHost: string
  dataDir: string
  scratchDir: string
  domains: readonly Domain[]
  masterKeys: readonly MasterKey[]
  http: {
    host: string
    port: number
    /** Empty: made of host and port once the server listens. */
    publicUrl: string
    floodPerMin: number
    mediaPerMin: number
    limitScale: number
    drainDelayMs: number
    trustedProxies: readonly string[]
  }
  mongo: { url: string, database: string }
  redis: { url: string, prefix: string }
  mail: { driver: 'smtp' | 'capture', url: string, from: string }
  fetch: {
    allow: readonly string[]
    contact: string
    segments: number
    /** Bytes a second; 0: no limit. */
    rates: { process: number, workspace: number, download: number }
  }
  media: { scanner: 'clamd' | 'none' }
  jobs: {
    partitions: number
    /** In what time the scaling signal wants a backlog to be gone. */
    drainS: number
    /** How long a worker that ends waits for its runs. */
    shutdownMs: number
    /** Null: backups are refused. */
    backupKey: Buffer | null
    /** A folder, or `storage`. */
    backupStore: string
    /** Empty: no log files of ours lie on the disk. */
    logDir: string
  }
  live: {
    origins: readonly string[]
    maxConnections: number
    perUser: number
    perIp: number
    unauthenticated: number
    subs: number
    commandsPerSec: number
    handshakesPerSec: number
    drainMs: number
  }
}
