export interface ByteRange { start: number, end: number }

/**
 * The one range that is served (RFC 9110, 14): undefined where the whole is answered (none, several or senseless ones,
 * or a validator that does not hold), null where it lies behind the end.
 */
export function rangeOf (
  { range, ifRange }: { range?: string | undefined, ifRange?: string | undefined }, bytes: number, etag: string
): ByteRange | null | undefined {
  if (ifRange !== undefined && ifRange !== etag) return undefined
  const [, from = '', to = ''] = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(range ?? '') ?? []
  if (from === '') return to === '' ? undefined : suffixOf(Number(to), bytes)
  const start = Number(from)
  const end = to === '' ? Infinity : Number(to)
  if (start >= bytes) return null
  return end < start ? undefined : { start, end: Math.min(end, bytes - 1) }
}

function suffixOf (length: number, bytes: number): ByteRange | null {
  return length === 0 || bytes === 0 ? null : { start: Math.max(0, bytes - length), end: bytes - 1 }
}
