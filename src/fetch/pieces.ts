// Which bytes of a file belong to which segment and piece (`jobs.md` 4.12); pure.

const MiB = 1024 * 1024
export const pieceSize = 4 * MiB
export const maxSegments = 4
const splitFrom = 40 * MiB
/** Their checks stand in one document: beyond 16 GiB a piece is larger instead. */
const maxPieces = 4096

/** A stretch of the file; `end` is exclusive, null where only the host knows it. */
export interface Span { start: number, end: number | null }

export interface Layout { pieceBytes: number, spans: readonly Span[] }

/** How a file is divided: one segment, or up to four of whole pieces where it is large enough. */
export function layOut (total: number | null, segments: number): Layout {
  const pieceBytes = pieceBytesOf(total)
  if (total === null || total < splitFrom) return { pieceBytes, spans: [{ start: 0, end: total }] }
  const count = Math.max(1, Math.min(maxSegments, Math.floor(segments)))
  const share = Math.ceil(total / count / pieceBytes) * pieceBytes
  const starts = Array.from({ length: count }, (_none, index) => index * share).filter((start) => start < total)
  return { pieceBytes, spans: starts.map((start) => ({ start, end: Math.min(total, start + share) })) }
}

function pieceBytesOf (total: number | null): number {
  let bytes = pieceSize
  while (total !== null && total / bytes > maxPieces) bytes *= 2
  return bytes
}

/** Base64 of one bit for each piece, the first in the highest: 1 = it is complete. */
export function bitmapOf (hashes: readonly string[]): string {
  const bits = Buffer.alloc(Math.ceil(hashes.length / 8))
  for (const [index, hash] of hashes.entries()) {
    if (hash !== '') bits[index >> 3] = (bits[index >> 3] ?? 0) | (0x80 >> (index & 7))
  }
  return bits.toString('base64')
}
