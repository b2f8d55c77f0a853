import { definePermissions, type Actor } from '../kernel/index.ts'
import { FetchError } from './errors.ts'
import type { DownloadRepository, DownloadRow } from './repository.ts'

export const permissions = definePermissions('fetch', {
  'download:read': { kind: 'read', roles: ['owner', 'admin', 'member', 'guest'], sentence: 'See downloads.' },
  'download:write': { kind: 'write', roles: ['owner', 'admin', 'member'], sentence: 'Start, pause and end downloads.' }
})

export type DownloadAccess = ReturnType<typeof createDownloadAccess>

export function createDownloadAccess (downloads: DownloadRepository) {
  return {
    /** A download of the actor's workspace. Throws `download_not_found`. */
    async download (actor: Actor, id: string): Promise<DownloadRow> {
      const row = await downloads.find(actor.workspaceId, id)
      if (row === undefined) throw FetchError.download_not_found()
      return row
    }
  }
}
