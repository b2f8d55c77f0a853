// Whether the bytes are the ones that were promised, and what is done where they are not (`jobs.md` 4.12).
import { FetchError } from './errors.ts'
import type { Start } from './receive.ts'
import type { DownloadRow } from './repository.ts'
import { fetchStretch } from './source.ts'

/** More damage than this is no accident of single pieces. */
const mostMended = 64

/** sha-256 of the whole file, hex. Throws `checksum` where it is not the promised one after what can be mended was. */
export async function verify (start: Start): Promise<string> {
  const { parts, row } = start
  const sha256 = await parts.digest()
  if (!isWrong(row, { bytes: parts.length, sha256 })) return sha256
  if (!await mend(start)) throw FetchError.checksum()
  const mended = await parts.digest()
  if (isWrong(row, { bytes: parts.length, sha256: mended })) throw FetchError.checksum()
  return mended
}

function isWrong ({ expect, announced }: DownloadRow, { bytes, sha256 }: { bytes: number, sha256: string }): boolean {
  return (expect.bytes !== undefined && expect.bytes !== bytes) ||
    (expect.sha256 !== undefined && expect.sha256 !== sha256) ||
    (announced !== null && announced !== sha256)
}

/**
 * Fetches once more the pieces that the disk no longer has as they came; false where there are none: then
 * nobody knows which bytes are wrong.
 */
export async function mend (start: Start): Promise<boolean> {
  const { parts, row: { validators, canonicalUrl }, journal, fetch, log } = start
  const { pieceBytes } = parts.layout
  let mended = 0
  for (const file of parts.files) {
    for (const index of await file.damaged()) {
      if (validators === null || ++mended > mostMended) throw FetchError.checksum()
      const from = index * pieceBytes
      const offset = file.span.start + from
      const end = offset + Math.min(pieceBytes, file.length - from)
      await file.mend(index, await fetchStretch(fetch, canonicalUrl, { offset, end, validators }, journal.signal))
    }
  }
  if (mended > 0) log.warn({ downloadId: start.row._id, pieces: mended }, 'damaged pieces were fetched again')
  return mended > 0
}
