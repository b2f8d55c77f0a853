import type { Actor, Clock, Session, Tx } from '../kernel/index.ts'
import { parseEmail } from './email.ts'
import { IdentityError } from './errors.ts'
import { checkPolicy, type Passwords } from './passwords.ts'
import { presentUser } from './present.ts'
import type {
  PasswordRecord, SessionRepository, UserRecord, UserRepository, WorkspaceRepository
} from './repository/index.ts'
import type { ClientFacts, Sessions } from './sessions.ts'

interface Collaborators {
  users: UserRepository
  workspaces: WorkspaceRepository
  sessionRows: SessionRepository
  passwords: Passwords
  sessions: Sessions
  tx: Tx
  clock: Clock
}

/** A one-time password nobody used for so long is void. */
export const oneTimeMs = 24 * 3_600_000

/** Password login and change (`identity.md` 4.7, 4.9). */
export function createLogins ({ users, workspaces, sessionRows, passwords, sessions, tx, clock }: Collaborators) {
  async function prove (email: string, password: string): Promise<{ user: UserRecord, stored: PasswordRecord }> {
    const { emailKey } = parseEmail(email)
    const user = await users.findByEmail(emailKey)
    // Asked for in both cases: an unknown address costs what a known one costs.
    const stored = await users.password(user?.id ?? 'nobody')
    const isRight = await passwords.verify(password, stored)
    if (!isRight || user === undefined || stored === undefined || isVoid(stored)) throw IdentityError.login_failed()
    return { user, stored }
  }

  function isVoid ({ isOneTime, changedAt }: PasswordRecord): boolean {
    return isOneTime && changedAt.getTime() + oneTimeMs <= clock.ms()
  }

  async function strengthen (userId: string, password: string, stored: PasswordRecord): Promise<void> {
    if (!passwords.isOutdated(stored)) return
    const { phc, pepper } = await passwords.hash(password)
    await users.rehash(userId, stored.phc, phc, pepper)
  }

  async function endOthers (unit: Session, userId: string, keptId: string): Promise<string[]> {
    const ended: string[] = []
    for (const { id } of await sessions.list(userId)) {
      if (id !== keptId && await sessions.revokeIn(unit, userId, id, 'password')) ended.push(id)
    }
    return ended
  }

  return {
    /** Throws `login_failed`, `suspended`, `hasher_busy`, `store_unavailable`. */
    async logIn (email: string, password: string, facts: ClientFacts) {
      await sessions.reach()
      const { user, stored } = await prove(email, password)
      if (user.status === 'suspended') throw IdentityError.suspended()
      await strengthen(user.id, password, stored)
      const [first] = await workspaces.membershipsOf(user.id)
      if (first === undefined) throw IdentityError.workspace_not_found()
      const tokens = await sessions.open({
        userId: user.id,
        workspaceId: first.workspaceId,
        pv: user.pv,
        amr: ['pwd'],
        mustChangePassword: stored.isOneTime,
        facts
      })
      return { user: presentUser(user), tokens }
    },

    /** Raises the generation of this session; the others end unless they are kept. Throws `weak_password`. */
    async changePassword (actor: Actor, password: string, options: { keepsOthers: boolean }): Promise<void> {
      const { userId, sessionId } = actor
      if (userId === null || sessionId === null) throw IdentityError.permission_denied()
      const user = await users.find(userId)
      if (user === undefined) throw IdentityError.user_not_found()
      checkPolicy(password, user.email)
      await sessions.reach()
      const record = { ...await passwords.hash(password), changedAt: clock.now(), isOneTime: false }
      const { gen, ended } = await tx(async (unit) => {
        await users.setPassword(unit, userId, record)
        return {
          gen: await sessionRows.raiseGeneration(unit, userId, sessionId),
          ended: options.keepsOthers ? [] : await endOthers(unit, userId, sessionId)
        }
      })
      if (gen !== undefined) await sessions.renew(userId, sessionId, gen)
      for (const id of ended) await sessions.end(userId, id)
    }
  }
}
