export interface ByteRange { start: number, end: number }

/**
 * The one range that is served (RFC 9110, 14): undefined where the whole is answered (none, several or senseless ones,
 * or a validator that does not hold), null where it lies behind the end.
 */
export function rangeOf (
  { range, ifRange }: { range?: string | undefined, ifRange?: string | undefined }, bytes: number, etag: string
): ByteRange | null | undefined {
  const asked = ifRange === undefined || ifRange === etag ? parse(range ?? '') : undefined
  if (asked === undefined) return undefined
  const { from, to } = asked
  if (from === undefined) return suffixOf(to, bytes)
  if (from >= bytes) return null
  return to < from ? undefined : { start: from, end: Math.min(to, bytes - 1) }
}

/** `to` is the length of the suffix where `from` is absent. */
function parse (range: string): { from: number | undefined, to: number } | undefined {
  const [, from, to] = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(range) ?? []
  if (from === undefined || to === undefined || from + to === '') return undefined
  return { from: from === '' ? undefined : Number(from), to: to === '' ? Infinity : Number(to) }
}

function suffixOf (length: number, bytes: number): ByteRange | null {
  return length === 0 || bytes === 0 ? null : { start: Math.max(0, bytes - length), end: bytes - 1 }
}
