import type { Readable } from 'node:stream'
import type { Clock, Storage } from '../kernel/index.ts'
import { MediaError } from './errors.ts'
import type { LinkInput, Links } from './links.ts'
import { extensions } from './presets.ts'
import { rangeOf, type ByteRange } from './ranges.ts'
import type { MediaRepository, StoredImage } from './repository.ts'

export interface Conditions {
  method: string
  range?: string | undefined
  ifRange?: string | undefined
  ifNoneMatch?: string | undefined
}

export interface Delivery { status: 200 | 206 | 304 | 416, headers: Record<string, string>, body: Readable | null }

interface Collaborators { files: MediaRepository, storage: Storage, links: Links, clock: Clock }

/** Answers a signed address (`media.md` 4.9). Throws `link_invalid`, `link_expired`, `file_not_found`. */
export function createDelivery ({ files, storage, links, clock }: Collaborators) {
  return async function deliver (link: LinkInput, conditions: Conditions): Promise<Delivery> {
    const leftS = links.judge(link, clock.ms())
    const image = await find(files, link)
    const etag = `"${image.sha256}"`
    const headers = headersOf(image, { etag, leftS, isAttachment: link.d === 'attachment' })
    if (matches(conditions.ifNoneMatch, etag)) return { status: 304, headers, body: null }
    const range = rangeOf(conditions, image.bytes, etag)
    if (range === null) {
      return { status: 416, headers: { ...headers, 'content-range': `bytes */${image.bytes}` }, body: null }
    }
    return {
      ...lengthOf(image, headers, range),
      body: conditions.method === 'HEAD' ? null : await read(storage, image, range)
    }
  }
}

async function find (files: MediaRepository, { workspaceId, hash, name }: LinkInput): Promise<StoredImage> {
  const [preset = '', extension] = name.split('.')
  const image = preset === 'content'
    ? await files.findMaster(workspaceId, hash)
    : await files.findRendition(workspaceId, hash, preset)
  if (image === undefined || extensions[image.type] !== extension) throw MediaError.file_not_found()
  return image
}

async function read (storage: Storage, { storageKey }: StoredImage, range: ByteRange | undefined): Promise<Readable> {
  const body = await storage.get(storageKey, range === undefined ? {} : { range })
  if (body === null) throw MediaError.file_not_found()
  return body
}

function lengthOf (image: StoredImage, headers: Record<string, string>, range: ByteRange | undefined) {
  if (range === undefined) return { status: 200 as const, headers: { ...headers, 'content-length': `${image.bytes}` } }
  const { start, end } = range
  return {
    status: 206 as const,
    headers: {
      ...headers,
      'content-length': `${end - start + 1}`,
      'content-range': `bytes ${start}-${end}/${image.bytes}`
    }
  }
}

interface Shown { etag: string, leftS: number, isAttachment: boolean }

function headersOf ({ type }: StoredImage, { etag, leftS, isAttachment }: Shown): Record<string, string> {
  return {
    etag,
    'content-type': type,
    'content-disposition': isAttachment ? 'attachment' : 'inline',
    'cache-control': `private, max-age=${leftS}, immutable`,
    'accept-ranges': 'bytes',
    'x-content-type-options': 'nosniff',
    'content-security-policy': "default-src 'none'; sandbox",
    'cross-origin-resource-policy': 'same-site'
  }
}

function matches (header: string | undefined, etag: string): boolean {
  return header !== undefined && header.split(',').some((one) => ['*', etag, `W/${etag}`].includes(one.trim()))
}
