import type { Readable } from 'node:stream'
import type { Session } from './tx.ts'

/** Limits by purpose (`jobs.md` 4.11). `api` is a platform's interface: JSON, at most 10 MiB. */
export type FetchProfile = 'page' | 'feed' | 'probe' | 'file' | 'image' | 'callback' | 'api'

export interface FetchRequest {
  url: string
  method?: 'GET' | 'HEAD' | 'POST' | 'PUT'
  headers?: Record<string, string>
  body?: string | Buffer
  /** Ports beside 80 and 443 that the caller has a reason for. */
  ports?: readonly number[]
}

export interface FetchAnswer {
  finalUrl: string
  hops: string[]
  status: number
  headers: Record<string, string>
  /** `dnsMs` over all hops, `firstByteMs` of the last one; `totalMs` runs until the body is over. */
  timings: { dnsMs: number, firstByteMs: number, readonly totalMs: number }
  /** Of the body so far, as sent and as unpacked. */
  bytes: { packed: number, unpacked: number }
}

export interface SafeFetch {
  /** The whole body, within the profile's cap. Throws `fetch.*`. */
  buffer (profile: FetchProfile, request: FetchRequest, options?: { signal?: AbortSignal }):
  Promise<FetchAnswer & { body: Buffer }>
  stream (profile: FetchProfile, request: FetchRequest, options?: { signal?: AbortSignal }):
  Promise<FetchAnswer & { body: Readable }>
  /** Throws `fetch.forbidden_target`, `fetch.bad_url`; connects nowhere. Names are resolved. */
  check (url: string, options?: { httpsOnly?: boolean }): Promise<URL>
  /** Asks the downloader for files in the caller's transaction; one active download per workspace and address. */
  download (session: Session, requests: readonly DownloadRequest[]): Promise<Download[]>
}

export interface DownloadRequest {
  workspaceId: string
  url: string
  /** `photo`, `video`, `story` ...: what media makes of it. */
  purpose: string
  expect?: { sha256?: string, bytes?: number, type?: string }
  maxBytes?: number
  /** Connections that share a file of 40 MiB and more, 1 to 4; default: what the installation says. */
  segments?: number
  lane?: 'interactive' | 'default' | 'bulk'
}

/** Who keeps the quota of a workspace. Both may be repeated: a later `reserve` of a download replaces the earlier. */
export interface DownloadQuota {
  /** False: there is no room for so many bytes. */
  reserve (asked: { workspaceId: string, downloadId: string, bytes: number }): Promise<boolean>
  /** The download has ended without a file. */
  release (ended: { workspaceId: string, downloadId: string }): Promise<void>
}

/** `fileId` is drawn with the download and names the file that media will make of it. */
export interface Download { id: string, fileId: string, isNew: boolean }

/** A circuit breaker by name; calls of an open one throw a `circuit_open` that jobs understand. */
export interface Breakers {
  call<T> (name: string, work: () => Promise<T>, options?: { counts?: (error: unknown) => boolean }): Promise<T>
}
