import type { Db } from 'mongodb'
import { createFlowRepository } from './flows.ts'
import { createKeyRepository } from './keys.ts'
import { createSessionRepository } from './sessions.ts'
import { createUserRepository } from './users.ts'
import { createWorkspaceRepository } from './workspaces.ts'

export type { FlowRepository, RegistrationFlow } from './flows.ts'
export type { KeyRepository } from './keys.ts'
export {
  revocationReasons, type RevocationReason, type SessionRecord, type SessionRepository
} from './sessions.ts'
export type { PasswordRecord, UserRecord, UserRepository } from './users.ts'
export type { MemberRecord, WorkspaceRecord, WorkspaceRepository } from './workspaces.ts'

export type Repositories = ReturnType<typeof createRepositories>

/** The only speakers of MongoDB in this domain. */
export function createRepositories (db: Db) {
  return {
    flows: createFlowRepository(db),
    keys: createKeyRepository(db),
    sessions: createSessionRepository(db),
    users: createUserRepository(db),
    workspaces: createWorkspaceRepository(db)
  }
}
