import {
  HttpError, isDomainError, type DomainError, type DownloadQuota, type EventBus, type JobContext, type Session
} from '../kernel/index.ts'
import { downloadFailed } from './events.ts'
import { downloadFile } from './jobs.ts'
import { isMoving, type DownloadRepository, type DownloadRow, type MovingRow } from './repository.ts'

interface EndingOptions { downloads: DownloadRepository, events: EventBus, quota: DownloadQuota }
type EndingContext = Pick<JobContext, 'attempt' | 'commit' | 'log'>

/** Somebody paused or ended the transfer, or a later start has it. */
export class Superseded extends Error {
  override readonly name = 'Superseded'
}

/** Ends the transfer if the error is final; false when the run must be tried again. */
export async function settle (
  options: EndingOptions, ctx: EndingContext, row: DownloadRow, thrown: unknown
): Promise<boolean> {
  if (thrown instanceof Superseded) return await isTaken(options, row)
  const error = finalError(thrown, ctx.attempt)
  if (error === undefined) return false
  const status = typeof error.details['status'] === 'number' ? error.details['status'] : null
  const { _id: downloadId, workspaceId } = row
  ctx.log.info({ downloadId, code: error.code, status }, 'download failed')
  await ctx.commit(async (session) => {
    const ending = { state: 'failed' as const, errorCode: error.code, errorStatus: status }
    if (!await options.downloads.end(session, row, ending)) return
    await tellFailed(options.events, session, row, error.code, status)
  })
  await options.quota.release({ workspaceId, downloadId })
  return true
}

/** Tells that a transfer ended without a file, in the transaction that ends it; `status` of the host's answer. */
export async function tellFailed (
  events: EventBus, session: Session, row: MovingRow, code: string, status: number | null
): Promise<void> {
  const { _id: downloadId, fileId, purpose, workspaceId } = row
  const data = { downloadId, fileId, purpose, code, ...(status === null ? {} : { status }) }
  await events.emit(session, downloadFailed, data, { type: 'download', id: downloadId }, { workspaceId })
}

/**
 * Whether somebody else decides about the transfer now. Claims are written without waiting for a majority: a store that
 * died may have forgotten ours, and then nobody has it. Throws `http.store_unavailable`, so that it is carried again.
 */
async function isTaken ({ downloads }: EndingOptions, { workspaceId, _id }: DownloadRow): Promise<boolean> {
  const now = await downloads.find(workspaceId, _id)
  if (now !== undefined && now.claim === null && isMoving(now.state)) throw HttpError.store_unavailable()
  return true
}

/** The error that ends the transfer: a final kind, the last start that counts, or a mistake of ours met twice. */
function finalError (thrown: unknown, attempt: number): DomainError | undefined {
  const isLast = attempt + 1 >= (downloadFile.policy.attempts ?? 1)
  if (thrown instanceof TypeError || thrown instanceof RangeError) {
    return attempt > 0 ? HttpError.internal({}, { cause: thrown }) : undefined
  }
  if (!isDomainError(thrown) || thrown.kind === 'rate_limited') return undefined
  return thrown.kind !== 'unavailable' || isLast ? thrown : undefined
}
