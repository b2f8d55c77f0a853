import { randomBytes } from 'node:crypto'
import {
  uuidv7, type Actor, type CursorValues, type Download, type DownloadQuota, type DownloadRequest, type JobSender,
  type Session, type Tx
} from '../kernel/index.ts'
import type { DownloadAccess } from './access.ts'
import { FetchError } from './errors.ts'
import { downloadFile, runKeyOf } from './jobs.ts'
import { presentDownload } from './present.ts'
import type { DownloadRepository, DownloadRow, NewRow } from './repository.ts'
import type { DownloadState, DownloadView, NewDownload } from './schemas.ts'
import { canonicalUrl } from './targets.ts'

type Asked = DownloadRequest & { name?: string }

interface Collaborators {
  downloads: DownloadRepository
  access: DownloadAccess
  jobs: JobSender
  quota: DownloadQuota
  tx: Tx
  /** Throws `bad_url`, `forbidden_target`. */
  check: (url: string) => Promise<URL>
}

export type DownloadService = ReturnType<typeof createDownloadService>

export function createDownloadService ({ downloads, access, jobs, quota, tx, check }: Collaborators) {
  /** Asks for files in the caller's transaction; an address that is on its way already is not asked for twice. */
  async function add (session: Session, requests: readonly Asked[]): Promise<Download[]> {
    if (requests.length === 0) return []
    const asked = requests.map(toRow)
    const unique = [...new Map(asked.map((row) => [keyOf(row), row])).values()]
    const rows = await downloads.addMany(session, unique)
    const isNew = (row: DownloadRow) => unique.some(({ _id }) => _id === row._id)
    const started = rows.filter(isNew)
    if (started.length > 0) {
      await jobs.addMany(session, downloadFile, started.map((row) => ({
        data: jobDataOf(row),
        options: { key: runKeyOf(row), lane: row.lane, workspaceId: row.workspaceId }
      })))
    }
    const byKey = new Map(rows.map((row) => [keyOf(row), row]))
    return asked.map((row) => {
      const found = byKey.get(keyOf(row)) as DownloadRow
      return { id: found._id, fileId: found.fileId, isNew: isNew(found) }
    })
  }

  async function steer (actor: Actor, id: string, from: readonly DownloadState[], to: DownloadState) {
    await access.download(actor, id)
    const row = await tx(async (session) => {
      const moved = await downloads.steer(session, actor.workspaceId, id, from, to)
      if (moved !== undefined && to === 'queued') {
        const options = { key: runKeyOf(moved), lane: moved.lane, workspaceId: moved.workspaceId }
        await jobs.add(session, downloadFile, jobDataOf(moved), options)
      }
      return moved
    })
    if (row === undefined) throw FetchError.download_ended()
    if (to === 'cancelled') await quota.release({ workspaceId: actor.workspaceId, downloadId: id })
    return presentDownload(row)
  }

  return {
    add,

    /** Starts a download for a person. Throws `bad_url`, `forbidden_target`. */
    async start (actor: Actor, { url, ...rest }: NewDownload): Promise<DownloadView> {
      await check(url)
      const { workspaceId } = actor
      const request = { ...rest, url, workspaceId, lane: 'interactive' as const }
      const [made] = await tx(async (session) => await add(session, [request]))
      return presentDownload(await access.download(actor, made?.id ?? ''))
    },

    async get (actor: Actor, id: string): Promise<DownloadView> {
      return presentDownload(await access.download(actor, id))
    },

    /** Newest first; one row more than asked for. */
    async list (actor: Actor, query: { state?: DownloadState, after?: CursorValues, limit: number }) {
      return await downloads.list(actor.workspaceId, query)
    },

    /** Those of these ids that are the actor's, in their order; for a domain that shows its transfers. */
    async many (actor: Actor, ids: readonly string[]): Promise<DownloadView[]> {
      const rows = await downloads.findMany(actor.workspaceId, ids)
      const byId = new Map(rows.map((row) => [row._id, presentDownload(row)]))
      return ids.map((id) => byId.get(id)).filter((row) => row !== undefined)
    },

    async pause (actor: Actor, id: string): Promise<DownloadView> {
      return await steer(actor, id, ['queued', 'probing', 'downloading'], 'paused')
    },

    async resume (actor: Actor, id: string): Promise<DownloadView> {
      return await steer(actor, id, ['paused'], 'queued')
    },

    async cancel (actor: Actor, id: string): Promise<DownloadView> {
      return await steer(actor, id, ['queued', 'probing', 'downloading', 'paused'], 'cancelled')
    },

    /** Whether the actor may follow the download. Throws `download_not_found`. */
    async follow (actor: Actor, id: string): Promise<void> {
      await access.download(actor, id)
    }
  }
}

function keyOf ({ workspaceId, canonicalUrl }: Pick<DownloadRow, 'workspaceId' | 'canonicalUrl'>): string {
  return `${workspaceId} ${canonicalUrl}`
}

function jobDataOf ({ workspaceId, _id, canonicalUrl }: DownloadRow) {
  return { workspaceId, downloadId: _id, host: new URL(canonicalUrl).host }
}

function toRow (request: Asked): NewRow {
  const { workspaceId, url, purpose, expect = {}, lane = 'default', name = null } = request
  const { maxBytes = null, segments: maxSegments = null } = request
  return {
    _id: uuidv7(),
    workspaceId,
    url,
    canonicalUrl: canonicalUrl(url),
    purpose,
    name,
    lane,
    expect,
    maxBytes,
    maxSegments,
    fileId: uuidv7(),
    storageKey: `incoming/${randomBytes(16).toString('hex')}`
  }
}
