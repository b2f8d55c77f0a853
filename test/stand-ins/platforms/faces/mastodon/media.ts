import type { IncomingHttpHeaders } from 'node:http'
import type { Answer } from '../../delivery.ts'
import type { Call } from '../../face.ts'
import type { PoolFile } from '../../images.ts'

const lastModified = new Date(Date.UTC(2017, 9, 17)).toUTCString()

/** A file as HTTP tells it: strong validator, one range, conditions (RFC 9110, 13 and 14). */
export function mediaAnswer (file: PoolFile, { request, isRangesIgnored }: Call): Answer {
  const etag = `"${file.sha256}"`
  const size = file.bytes
  const headers: Record<string, string> = {
    'content-type': file.type,
    'cache-control': 'public, max-age=31536000, immutable',
    etag,
    'last-modified': lastModified,
    ...isRangesIgnored ? {} : { 'accept-ranges': 'bytes' }
  }
  if (isNotModified(request.headers, etag)) return { status: 304, headers }
  const ifRange = request.headers['if-range']
  const isRangeWanted = !isRangesIgnored && (ifRange === undefined || ifRange === etag || ifRange === lastModified)
  const range = isRangeWanted ? rangeOf(request.headers.range, size) : null
  if (range === null) return { status: 200, headers, body: file.read(), offset: 0, size, isPaced: true }
  if (range === 'unsatisfiable') {
    return { status: 416, headers: { ...headers, 'content-range': `bytes */${size}` } }
  }
  const [from, to] = range
  return {
    status: 206,
    headers: { ...headers, 'content-range': `bytes ${from}-${to}/${size}` },
    body: file.read().subarray(from, to + 1),
    offset: from,
    size,
    isPaced: true
  }
}

function isNotModified (headers: IncomingHttpHeaders, etag: string): boolean {
  const tags = headers['if-none-match']
  if (tags !== undefined) return tags === '*' || tags.split(',').some((tag) => tag.trim().replace(/^W\//, '') === etag)
  const since = headers['if-modified-since']
  return since !== undefined && Date.parse(since) >= Date.parse(lastModified)
}

/** First and last place of a single range; null where the header is to be ignored. */
function rangeOf (header: string | undefined, size: number): [number, number] | 'unsatisfiable' | null {
  const suffix = /^bytes=-(\d+)$/.exec(header ?? '')
  if (suffix) return satisfiable(Math.max(0, size - Number(suffix[1])), size - 1, size)
  const match = /^bytes=(\d+)-(\d*)$/.exec(header ?? '')
  if (!match) return null
  const [from, last] = [Number(match[1]), match[2] === '' ? size - 1 : Number(match[2])]
  return match[2] !== '' && last < from ? null : satisfiable(from, Math.min(last, size - 1), size)
}

function satisfiable (from: number, to: number, size: number): [number, number] | 'unsatisfiable' {
  return from < size ? [from, to] : 'unsatisfiable'
}
