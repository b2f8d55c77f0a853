import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { parseCsv } from './posts.ts'

/** One file of a world. `read` gives its bytes. */
export interface PoolFile {
  n: number
  family: string
  name: string
  type: string
  width: number
  height: number
  bytes: number
  sha256: string
  read: () => Buffer
}

/** The 321 files of `content/images.csv`, by number. Bytes are read on demand and kept. */
export function readImages (): PoolFile[] {
  const csv = readFileSync(new URL('content/images.csv', import.meta.url), 'utf8')
  return parseCsv(csv).slice(1).map((row) => {
    const [n, family, name, type, width, height, bytes, sha256] = row as
      [string, string, string, string, string, string, string, string]
    return {
      n: Number(n),
      family,
      name,
      type,
      width: Number(width),
      height: Number(height),
      bytes: Number(bytes),
      sha256,
      read: once(() => readFileSync(new URL(`content/images/${encodeURI(name)}`, import.meta.url)))
    }
  })
}

/** A file that a test made itself. */
export function madeFile (
  { n, body, type = 'application/octet-stream', name = `made/${n}` }:
  { n: number, body: Buffer, type?: string, name?: string }
): PoolFile {
  const sha256 = createHash('sha256').update(body).digest('hex')
  return { n, family: 'made', name, type, width: 0, height: 0, bytes: body.length, sha256, read: () => body }
}

function once<T> (make: () => T): () => T {
  let made: { value: T } | null = null
  return () => (made ??= { value: make() }).value
}
