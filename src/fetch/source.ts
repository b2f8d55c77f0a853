// How a file is asked for, and whether what comes may be joined to what is there (`jobs.md` 4.12).
import type { Readable } from 'node:stream'
import { isDomainError, type SafeFetch } from '../kernel/index.ts'
import { FetchError } from './errors.ts'
import type { Validators } from './repository.ts'

export interface Source {
  /** Offset in the file of the first byte of `body`. */
  offset: number
  body: Readable
  validators: Validators
  /** Bytes of the whole file, null where the host does not say. */
  total: number | null
  type: string | null
  /** sha-256 of the whole file as the host announces it, hex. */
  announced: string | null
}

export interface Probe extends Omit<Source, 'body'> {
  isRanged: boolean
  /** The host ignored the range and sends everything: no second request is needed. */
  body: Readable | null
}

type Fetch = Pick<SafeFetch, 'stream'>
type Answer = Awaited<ReturnType<SafeFetch['stream']>>

/** Asks for the first byte only: size, ranges, validators. Throws `refused`, `host_unavailable`, `host_throttled`. */
export async function probe (fetch: Fetch, url: string, signal: AbortSignal): Promise<Probe> {
  const answer = await ask(fetch, url, { range: 'bytes=0-0' }, signal)
  if (answer.status === 200) return { ...describe(answer, 0), isRanged: false, body: answer.body }
  if (answer.status === 206 && rangeOf(answer)?.start === 0) {
    await drain(answer.body)
    return { ...describe(answer, 0), isRanged: true, body: null }
  }
  answer.body.destroy()
  if (answer.status === 416) return { ...await openWhole(fetch, url, signal), isRanged: false }
  throw statusError(answer)
}

/** The file from its first byte. */
export async function openWhole (fetch: Fetch, url: string, signal: AbortSignal): Promise<Source> {
  const answer = await ask(fetch, url, {}, signal)
  if (answer.status === 200) return { ...describe(answer, 0), body: answer.body }
  answer.body.destroy()
  throw statusError(answer)
}

export interface Rest {
  offset: number
  /** Exclusive; null: to the end of the file. */
  end: number | null
  validators: Validators
}

/**
 * The file from `offset` on, of exactly the version that is there; else the word why it is not to be had
 * and the transfer must start again.
 */
export async function openRest (
  fetch: Fetch, url: string, rest: Rest, signal: AbortSignal
): Promise<Source | 'changed' | 'not_resumable'> {
  const condition = conditionOf(rest.validators)
  if (condition === undefined) return 'not_resumable'
  const range = { range: `bytes=${rest.offset}-${rest.end === null ? '' : rest.end - 1}` }
  const first = await ask(fetch, url, { ...range, 'if-range': condition }, signal)
  if (first.status !== 200) return judgeRest(first, rest)
  // Some hosts answer 200 to a good If-Range: once without it, then the validators decide.
  first.body.destroy()
  return judgeRest(await ask(fetch, url, range, signal), rest)
}

/** A stretch of the same version, whole. Throws `checksum` where it is not to be had. */
export async function fetchStretch (
  fetch: Fetch, url: string, rest: Rest & { end: number }, signal: AbortSignal
): Promise<Buffer> {
  const source = await openRest(fetch, url, rest, signal)
  if (typeof source === 'string') throw FetchError.checksum({}, { detail: 'Damaged bytes cannot be fetched again.' })
  const pieces: Buffer[] = []
  for await (const bytes of source.body as AsyncIterable<Buffer>) pieces.push(bytes)
  const all = Buffer.concat(pieces)
  if (all.length === rest.end - rest.offset) return all
  throw FetchError.connect_failed({}, { detail: 'The answer ended early.' })
}

function judgeRest (answer: Answer, { offset, end, validators }: Rest): Source | 'changed' | 'not_resumable' {
  const { status, body } = answer
  if (status === 206) {
    const source = describe(answer, offset)
    const given = rangeOf(answer)
    if (given?.start !== offset || (end !== null && given.end >= end)) {
      body.destroy()
      throw FetchError.not_resumable({}, { detail: 'The host answered another range than was asked for.' })
    }
    if (isSame(validators, source.validators)) return { ...source, body }
    body.destroy()
    return 'changed'
  }
  body.destroy()
  if (status === 200) return isSame(validators, describe(answer, 0).validators) ? 'not_resumable' : 'changed'
  if (status === 416) return 'changed'
  throw statusError(answer)
}

async function ask (fetch: Fetch, url: string, headers: Record<string, string>, signal: AbortSignal): Promise<Answer> {
  return await fetch.stream('file', { url, headers: { 'want-repr-digest': 'sha-256=10', ...headers } }, { signal })
}

function describe (answer: Answer, offset: number): Omit<Source, 'body'> {
  const { headers, status } = answer
  const length = status === 206 ? rangeOf(answer)?.total ?? null : numberOf(headers['content-length'])
  const type = headers['content-type']?.split(';')[0]?.trim().toLowerCase().slice(0, 128)
  return {
    offset,
    total: length,
    type: type === undefined || type === '' ? null : type,
    validators: { etag: headers['etag'] ?? null, lastModified: headers['last-modified'] ?? null, length },
    announced: announcedBy(answer)
  }
}

/** The strong ETag, or else the date; a weak ETag says nothing about bytes (RFC 9110, 8.8.1). */
function conditionOf ({ etag, lastModified, length }: Validators): string | undefined {
  if (isStrong(etag)) return etag
  return lastModified !== null && length !== null ? lastModified : undefined
}

function isStrong (etag: string | null): etag is string {
  return etag !== null && etag.startsWith('"')
}

/** Whether an answer without a length is still of the version that is known. */
export function isUnmeasured (known: Validators | null, now: Validators): boolean {
  return known !== null && now.length === null && known.etag === now.etag && known.lastModified === now.lastModified
}

function isSame (known: Validators, now: Validators): boolean {
  if (known.length !== null && now.length !== null && known.length !== now.length) return false
  if (isStrong(known.etag)) return known.etag === now.etag
  return known.lastModified !== null && known.length === now.length && known.lastModified === now.lastModified
}

interface Range { start: number, end: number, total: number | null }

/** `end` is inclusive, as it is sent. */
function rangeOf ({ headers }: Answer): Range | undefined {
  const [, start, end, total] = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15}|\*)$/.exec(headers['content-range'] ?? '') ?? []
  return start === undefined ? undefined : { start: Number(start), end: Number(end), total: numberOf(total) }
}

function numberOf (text: string | undefined): number | null {
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : null
}

/** RFC 9530 and its predecessor; the digest of the content is the one of the file only where all of it is sent. */
function announcedBy ({ headers, status }: Answer): string | null {
  const content = status === 200 ? headers['content-digest'] : undefined
  const text = [headers['repr-digest'], headers['digest'], content].join()
  const [, digest] = /(?:^|[,\s])sha-256=:?([A-Za-z0-9+/]{43}=)/i.exec(text) ?? []
  return digest === undefined ? null : Buffer.from(digest, 'base64').toString('hex')
}

async function drain (body: Readable): Promise<void> {
  let bytes = 0
  for await (const piece of body as AsyncIterable<Buffer>) {
    bytes += piece.length
    // Leaving the loop closes the body.
    if (bytes > 1024) return
  }
}

function statusError ({ status, headers }: Answer): Error {
  const retryAfterMs = retryAfterOf(headers['retry-after'])
  const options = retryAfterMs === undefined ? {} : { retryAfterMs }
  if (status === 429) return FetchError.host_throttled({ status }, options)
  if (status === 408 || status === 425 || status >= 500) return FetchError.host_unavailable({ status }, options)
  return FetchError.refused({ status })
}

function retryAfterOf (text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,6}$/.test(text) ? Number(text) * 1000 : undefined
}

/** Whether asking again may help: the connection, not the file, was at fault. */
export function isBreak (error: unknown): boolean {
  return isDomainError(error) && error.kind === 'unavailable' && error.code !== FetchError.disk.definition.code
}
