import type { Db } from 'mongodb'
import { createAccountRepository } from './accounts.ts'
import { createAssetRepository } from './assets.ts'
import { createConnectionRepository } from './connections.ts'
import { createCursorRepository } from './cursors.ts'
import { createPostRepository } from './posts.ts'
import { createProfileRepository } from './profiles.ts'
import { createReportRepository } from './reports.ts'
import { createSecretRepository } from './secrets.ts'

export type Repositories = ReturnType<typeof createSocialRepositories>

/** Everything that speaks to the store for this domain. */
export function createSocialRepositories (db: Db) {
  return {
    accounts: createAccountRepository(db),
    assets: createAssetRepository(db),
    connections: createConnectionRepository(db),
    cursors: createCursorRepository(db),
    posts: createPostRepository(db),
    profiles: createProfileRepository(db),
    reports: createReportRepository(db),
    secrets: createSecretRepository(db)
  }
}
