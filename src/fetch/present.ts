import type { DownloadRow } from './repository.ts'
import type { DownloadProgress, DownloadView } from './schemas.ts'

/** A transfer as everybody sees it. */
export function presentDownload (row: DownloadRow): DownloadView {
  const { _id, fileId, url, purpose, name, state, bytes, total, rate, etaMs, type, sha256, errorCode } = row
  const { restarts, restartCode } = row
  return {
    id: _id,
    fileId,
    url,
    purpose,
    name,
    state,
    bytes,
    total,
    rate,
    etaMs,
    restarts,
    restartCode,
    type,
    sha256,
    errorCode,
    version: row.version,
    createdAt: row.createdAt.toISOString(),
    updatedAt: row.updatedAt.toISOString()
  }
}

/** The moving part of a transfer, of a document of `fetch.downloads`; for live topics. */
export function presentProgress (document: Record<string, unknown> & { _id: string }): DownloadProgress {
  const { _id, fileId, state, bytes, total, rate, etaMs, restarts, errorCode } = document as unknown as DownloadRow
  return { downloadId: _id, fileId, state, bytes, total, rate, etaMs, restarts, errorCode }
}
