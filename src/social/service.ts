import type {
  Actor, Breakers, Bus, Clock, EventBus, JobSender, KeyRing, Live, LiveDocument, SafeFetch, Tx
} from '../kernel/index.ts'
import type { DownloadView } from '../fetch/index.ts'
import { createSocialAccess } from './access.ts'
import { createAccounts } from './accounts.ts'
import { createAssets } from './assets.ts'
import { createCalls } from './calls.ts'
import { createConnections } from './connections.ts'
import { mastodon } from './connectors/mastodon.ts'
import type { Connector } from './connectors/port.ts'
import { createEnrolment } from './enrolment.ts'
import { createFeed } from './feed.ts'
import { createLists, type FileLinks } from './lists.ts'
import { presentKeys } from './present.ts'
import { createProbes } from './probes.ts'
import { createReports } from './reports.ts'
import type { AccountRow } from './repository/accounts.ts'
import type { Repositories } from './repository/index.ts'
import { createVault } from './secrets.ts'
import { runSync, type SyncContext } from './sync/index.ts'

export interface SocialCollaborators {
  repositories: Repositories
  fetch: SafeFetch
  breakers: Breakers
  keyRing: KeyRing
  events: EventBus
  jobs: JobSender
  live: Live
  bus: Bus
  tx: Tx
  clock: Clock
  publicUrl: () => string
  isLive: (workspaceId: string, runId: string) => Promise<boolean>
  links: (workspaceId: string, fileIds: readonly string[]) => Promise<ReadonlyMap<string, FileLinks>>
  downloads: (actor: Actor, ids: readonly string[]) => Promise<DownloadView[]>
}

export type SocialService = ReturnType<typeof createSocialService>

/** The verbs of the domain, by resource. */
export function createSocialService ({ repositories, ...ports }: SocialCollaborators) {
  const access = createSocialAccess(repositories)
  const connectors: ReadonlyMap<string, Connector> = new Map([[mastodon.platform, mastodon]])
  const vault = createVault({ ...repositories, ...ports })
  const openCall = createCalls(ports)
  const all = { ...repositories, ...ports, access, connectors, vault, openCall }
  const enrolment = createEnrolment(all)
  return {
    connections: createConnections({ ...all, enrolment }),
    accounts: createAccounts(all),
    assets: createAssets(all),
    lists: createLists(all),
    reports: createReports(all),
    feed: createFeed(all),
    probes: createProbes(all),
    sync: async (ctx: SyncContext): Promise<void> => { await runSync(all, ctx) },

    /** The live keys of an account's document. */
    presentAccountKeys: ({ _id, ...row }: LiveDocument) =>
      presentKeys({ id: _id, ...row as unknown as Omit<AccountRow, '_id'> }),

    /** The accounts that show each download. */
    async accountsOfDownloads (documents: readonly LiveDocument[]): Promise<string[][]> {
      const accounts = await repositories.assets.accountsOf(documents.map(({ _id }) => _id))
      return documents.map(({ _id }) => accounts.get(_id) ?? [])
    }
  }
}
