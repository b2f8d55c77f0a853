import { HttpError } from './errors.ts'
import type { Signer } from './keys.ts'
import type { PageInfo } from './schemas.ts'

/** Where a list goes on: the sort values of the last row, `_id` last. */
export type CursorValues = ReadonlyArray<string | number | null>

export interface Cursors {
  /** `scope` names workspace, route, filter and sort: a cursor is good for exactly that list. */
  encode (values: CursorValues, scope: string): string
  /** Throws `http.cursor_invalid`. */
  decode (cursor: string, scope: string): CursorValues
}

/** Signed, opaque positions in lists (`conventions.md` 4.2). */
export function createCursors (signer: Signer): Cursors {
  return {
    encode (values, scope) {
      const body = Buffer.from(JSON.stringify([1, signer.keyId, values])).toString('base64url')
      return `${body}.${signer.sign(`${body}\n${scope}`).slice(0, 43)}`
    },
    decode (cursor, scope) {
      const [body = '', mac = ''] = cursor.split('.')
      const [version, keyId, values] = parse(body)
      if (version !== 1 || !signer.verify(`${body}\n${scope}`, keyId, mac)) throw HttpError.cursor_invalid()
      return values
    }
  }
}

function parse (body: string): [number, string, CursorValues] {
  try {
    const parts: unknown = JSON.parse(Buffer.from(body, 'base64url').toString())
    if (Array.isArray(parts) && parts.length === 3) return parts as [number, string, CursorValues]
  } catch (cause) {
    throw HttpError.cursor_invalid({}, { cause })
  }
  throw HttpError.cursor_invalid()
}

/** The page of a query that asked for one row more than `limit`. */
export function toPage<Row, Item> (
  rows: readonly Row[], limit: number, options: {
    cursors: Cursors, scope: string, values: (row: Row) => CursorValues, present: (row: Row) => Item
  }
): { data: Item[], page: PageInfo } {
  const shown = rows.slice(0, limit)
  const last = shown.at(-1)
  const hasMore = rows.length > limit
  const next = hasMore && last !== undefined ? options.cursors.encode(options.values(last), options.scope) : undefined
  return { data: shown.map(options.present), page: { ...(next === undefined ? {} : { next }), hasMore } }
}
