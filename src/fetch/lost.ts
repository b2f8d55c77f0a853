// Downloads whose run ended without them: it was cancelled, died of something unknown, or became too old.
import {
  isOver, type DomainEvent, type DownloadQuota, type EventBus, type RunLookup, type RunStanding, type Tx
} from '../kernel/index.ts'
import { tellFailed } from './ending.ts'
import { FetchError } from './errors.ts'
import { downloadFile, runKeyOf } from './jobs.ts'
import { removeParts } from './parts.ts'
import type { DownloadRepository, LostEnding, MovingRow } from './repository.ts'
import type { Slots } from './slots.ts'
import { partsFolder } from './transfer.ts'

export interface LostOptions {
  downloads: DownloadRepository
  runs: RunLookup
  events: EventBus
  quota: DownloadQuota
  slots: Slots
  tx: Tx
  scratchDir: string
}

export interface LostDownloads {
  /** Ends the download that a dead run was carrying. */
  endDead (event: DomainEvent<{ runId: string, code: string }>): Promise<void>
  /** Ends the downloads of all workspaces that nobody will carry on; how many. */
  sweep (signal: AbortSignal): Promise<number>
}

const pageSize = 500

export function createLostDownloads (options: LostOptions): LostDownloads {
  const { downloads, runs, events, quota, slots, tx, scratchDir } = options

  /** False where the download ended, was paused or got another run meanwhile. */
  async function end (row: MovingRow, ending: LostEnding): Promise<boolean> {
    const isEnded = await tx(async (session) => {
      if (!await downloads.endLost(session, row, ending)) return false
      await tellFailed(events, session, row, ending.errorCode, null)
      return true
    })
    if (!isEnded) return false
    const { _id: downloadId, workspaceId, segments, canonicalUrl } = row
    await quota.release({ workspaceId, downloadId })
    await slots.free(new URL(canonicalUrl).host, downloadId)
    await removeParts({ folder: partsFolder(scratchDir), id: downloadId }, segments)
    return true
  }

  async function endThose (rows: readonly MovingRow[], workspaceId: string): Promise<number> {
    const found = await runs.look(downloadFile, workspaceId, {
      ids: rows.flatMap(({ runId }) => runId ?? []),
      keys: rows.filter(({ runId }) => runId === null).map(runKeyOf)
    })
    let ended = 0
    for (const row of rows) {
      const ending = endingOf(found.find((run) => isRunOf(row, run)))
      if (ending !== undefined && await end(row, ending)) ended++
    }
    return ended
  }

  return {
    async endDead ({ workspaceId, data: { runId, code } }) {
      const [run] = await runs.look(downloadFile, workspaceId, { ids: [runId], keys: [] })
      const { downloadId } = (run?.data ?? {}) as { downloadId?: unknown }
      const row = await downloads.find(workspaceId, String(downloadId))
      if (run === undefined || row === undefined || !isRunOf(row, run)) return
      await end(row, { state: 'failed', errorCode: codeOf(code) })
    },

    async sweep (signal) {
      let ended = 0
      for (let page = await downloads.moving('', pageSize); page.length > 0;) {
        signal.throwIfAborted()
        for (const [workspaceId, rows] of Map.groupBy(page, (row) => row.workspaceId)) {
          ended += await endThose(rows, workspaceId)
        }
        page = await downloads.moving(page.at(-1)?._id ?? '', pageSize)
      }
      return ended
    }
  }
}

/** The run that claimed the transfer last, else the one that was added for it. */
function isRunOf (row: MovingRow, { id, key }: RunStanding): boolean {
  return row.runId === null ? key === runKeyOf(row) : id === row.runId
}

/** What a transfer ends as when its run stands so; undefined where somebody may still carry it. */
function endingOf (run: RunStanding | undefined): LostEnding | undefined {
  if (run === undefined) return { state: 'failed', errorCode: FetchError.run_ended.definition.code }
  if (!isOver(run.state)) return undefined
  if (run.state !== 'cancelled') return { state: 'failed', errorCode: codeOf(run.code) }
  return { state: 'cancelled', errorCode: FetchError.run_cancelled.definition.code }
}

/** Codes are kept; what an unknown error calls itself is a matter of its letter. */
function codeOf (code: string | null): string {
  return code?.includes('.') === true ? code : FetchError.run_ended.definition.code
}
