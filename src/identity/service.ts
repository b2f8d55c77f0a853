import type {
  Actor, Authenticator, Bus, Clock, EventBus, KeyRing, Log, MasterKey, PermissionDefinition, ScriptRunner, Tx
} from '../kernel/index.ts'
import { createSigner } from '../kernel/index.ts'
import { createAccessTokens } from './access-token.ts'
import { createRoleTable, isSessionActor } from './access.ts'
import { createAuthenticator } from './authenticator.ts'
import { createCodes } from './codes.ts'
import { IdentityError } from './errors.ts'
import { atLeast } from './even-answers.ts'
import { createKeyRing, createWrapper } from './key-ring.ts'
import { createLogins } from './logins.ts'
import { createOperators } from './operator.ts'
import { createPasswords } from './passwords.ts'
import { presentSession, presentUser } from './present.ts'
import { createRefreshTokens } from './refresh-token.ts'
import { createRegistrations } from './registrations.ts'
import type { Repositories } from './repository/index.ts'
import type { NewLogin, NewRegistration, SessionShape, User } from './schemas.ts'
import { createSessionStore } from './session-store.ts'
import { createSessionViews } from './session-views.ts'
import { createSessions, type ClientFacts } from './sessions.ts'
import { createSigningRing } from './signing-ring.ts'
import { createWorkspaces, personOf } from './workspaces.ts'

export interface IdentityCollaborators {
  repositories: Repositories
  masterKeys: readonly MasterKey[]
  permissions: () => ReadonlyMap<string, PermissionDefinition>
  isRedisReady: () => boolean
  scripts: ScriptRunner
  events: EventBus
  bus: Bus
  tx: Tx
  clock: Clock
  log: Log
}

export type IdentityService = ReturnType<typeof createIdentity>['service']

/** A person as neighbours see one. */
export interface Person { id: string, email: string, displayName: string, locale: string, zone: string }

/** Puts identity together: its verbs, the key ring for everybody, the authenticator for the server. */
export function createIdentity (with_: IdentityCollaborators) {
  const parts = createParts(with_)
  return { service: createVerbs(with_, parts), keyRing: parts.keyRing, authenticator: parts.authenticator }
}

function createParts ({
  repositories, masterKeys, permissions, isRedisReady, scripts, events, bus, tx, clock, log
}: IdentityCollaborators) {
  const { flows, keys, sessions: sessionRows, users, workspaces } = repositories
  const wrapper = createWrapper(masterKeys)
  const keyRing: KeyRing = createKeyRing({ wrapper, keys, clock })
  const ring = createSigningRing({ wrapper, keys, clock })
  const accessTokens = createAccessTokens({ ring, clock })
  const passwords = createPasswords(masterKeys)
  const store = createSessionStore(scripts)
  const views = createSessionViews({ sessions: sessionRows, users, store, isRedisReady, clock, log })
  const sessions = createSessions({
    sessions: sessionRows,
    users,
    store,
    views,
    accessTokens,
    refreshTokens: createRefreshTokens(masterKeys),
    events,
    bus,
    tx,
    clock,
    log
  })
  const codes = createCodes({ signer: createSigner(masterKeys, 'code-mac'), keyRing })
  const authenticator: Authenticator = createAuthenticator({
    accessTokens, views, workspaces, permissionsOf: createRoleTable(permissions), clock
  })
  return {
    keyRing,
    ring,
    views,
    sessions,
    authenticator,
    registrations: createRegistrations({ flows, users, workspaces, passwords, codes, sessions, events, tx, clock }),
    logins: createLogins({ users, workspaces, sessionRows, passwords, sessions, tx, clock }),
    operators: createOperators({ users, workspaces, sessionRows, passwords, events, tx, clock }),
    workspaces: createWorkspaces({ users, workspaces, events, tx, clock })
  }
}

function createVerbs ({ repositories: { users }, bus }: IdentityCollaborators, parts: ReturnType<typeof createParts>) {
  const { logins, operators, registrations, ring, sessions, views, workspaces } = parts
  bus.on('session-ended', ({ sessionId }) => { views.end(String(sessionId)) })
  bus.on('session-changed', ({ sessionId }) => { views.drop(String(sessionId)) })

  return {
    register: async (input: NewRegistration) => await atLeast(async () => await registrations.start(input)),
    verifyRegistration: registrations.verify,
    codeMail: registrations.mailOf,
    logIn: async ({ email, password }: NewLogin, facts: ClientFacts) =>
      await atLeast(async () => await logins.logIn(email, password, facts)),
    changePassword: logins.changePassword,
    refresh: sessions.refresh,
    openSession: sessions.open,
    endRevokedSession: sessions.end,
    reapplyRevocations: views.reapply,
    jwks: ring.jwks,
    workspaces: workspaces.list,
    createWorkspace: workspaces.create,
    members: workspaces.members,
    makeFirstOperator: operators.makeFirst,

    async me (actor: Actor): Promise<User> {
      const user = await users.find(personOf(actor))
      if (user === undefined) throw IdentityError.user_not_found()
      return presentUser(user)
    },

    /** People by id, in the order asked for; null for unknown. */
    async usersByIds (ids: readonly string[]): Promise<Array<Person | null>> {
      const rows = new Map((await users.findMany(ids)).map((row) => [row.id, row]))
      return ids.map((id) => {
        const row = rows.get(id)
        if (row === undefined) return null
        const { email, displayName, locale, zone } = row
        return { id, email, displayName, locale, zone }
      })
    },

    async sessions (actor: Actor): Promise<SessionShape[]> {
      return (await sessions.list(personOf(actor))).map((session) => presentSession(session, actor.sessionId))
    },

    async endSession (actor: Actor, sessionId: string): Promise<void> {
      if (!await sessions.revoke(personOf(actor), sessionId, 'ended-by-user')) {
        throw IdentityError.session_not_found({ id: sessionId })
      }
    },

    async logOut (actor: Actor): Promise<void> {
      if (isSessionActor(actor)) await sessions.revoke(actor.userId, actor.sessionId, 'logout')
    },

    /** Ends all sessions but the one at work; answers how many. */
    async endOtherSessions (actor: Actor): Promise<number> {
      const userId = personOf(actor)
      const others = (await sessions.list(userId)).filter(({ id }) => id !== actor.sessionId)
      const ended = await Promise.all(others.map(async ({ id }) => await sessions.revoke(userId, id, 'ended-by-user')))
      return ended.filter(Boolean).length
    },

    /** Tokens for another workspace of the caller. Throws `workspace_not_found`. */
    async moveTo (actor: Actor, workspaceId: string) {
      await workspaces.membership(actor, workspaceId)
      if (!isSessionActor(actor)) throw IdentityError.permission_denied()
      return await sessions.moveTo(actor.userId, actor.sessionId, workspaceId)
    }
  }
}
