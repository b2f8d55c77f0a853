import type { Actor, Authenticator, Clock, DomainError, ProofInput } from '../kernel/index.ts'
import type { AccessClaims, AccessTokens } from './access-token.ts'
import { IdentityError } from './errors.ts'
import { createLru } from './lru.ts'
import type { MemberRecord, WorkspaceRepository } from './repository/index.ts'
import { graceMs } from './session-scripts.ts'
import type { CheckedView, SessionViews } from './session-views.ts'

interface Collaborators {
  accessTokens: AccessTokens
  views: SessionViews
  workspaces: WorkspaceRepository
  permissionsOf: (roles: readonly string[]) => ReadonlySet<string>
  clock: Clock
}

/** What a membership allows, for the tokens of one permission version. */
interface Rights { roles: readonly string[], pv: number, can: (permission: string) => boolean }

const membershipMs = 60_000
/** Of the token that made an actor, in seconds. */
const expiresAt = Symbol('expiresAt')

/** Judges access tokens: token, session, generation, permission version, membership, in this order. */
export function createAuthenticator (
  { accessTokens, views, workspaces, permissionsOf, clock }: Collaborators
): Authenticator {
  const memberships = createLru<Promise<MemberRecord | undefined>>(5000)
  const rights = createLru<Rights>(5000)

  /** Kept under the permission version: whatever changes a membership raises it. */
  async function membershipOf ({ sub, wid }: AccessClaims, pv: number): Promise<MemberRecord> {
    const key = `${sub} ${wid} ${pv}`
    const now = clock.ms()
    let loading = memberships.get(key, now)
    if (loading === undefined) {
      loading = workspaces.member(wid, sub)
      memberships.set(key, loading, now + membershipMs)
      loading.catch(() => { memberships.delete(key) })
    }
    const member = await loading
    if (member === undefined) throw IdentityError.permission_denied()
    return member
  }

  /** Why a token does not count; undefined: it does. */
  function judge (claims: AccessClaims, view: CheckedView, proof: ProofInput): DomainError | undefined {
    if (claims.sg !== view.gen) {
      const isInGrace = claims.sg === view.gen - 1 && clock.ms() - view.genAt <= graceMs
      if (!isInGrace) return IdentityError.token_stale()
    }
    if (claims.pv < view.pv) return IdentityError.token_stale()
    if (view.mustChangePassword && proof.mayChangePassword !== true) return IdentityError.password_change_required()
    return undefined
  }

  return {
    async authenticate (proof) {
      if (proof.token === '') throw IdentityError.token_missing()
      const claims = await accessTokens.verify(proof.token)
      const view = await views.of(claims.sub, claims.sid, claims.rc)
      const refusal = judge(claims, view, proof)
      if (refusal !== undefined) throw refusal
      const { roles } = await membershipOf(claims, view.pv)
      const permissions = permissionsOf(roles)
      const granted = { roles, pv: view.pv, can: (permission: string) => permissions.has(permission) }
      rights.set(claims.jti, granted, clock.ms() + membershipMs)
      return actorOf(claims, granted, proof)
    },

    known (proof) {
      const now = clock.ms()
      const claims = accessTokens.known(proof.token, now)
      if (claims === undefined) return undefined
      const view = views.known(claims.sid, claims.rc, now)
      const granted = rights.get(claims.jti, now)
      if (view === undefined || granted === undefined || granted.pv !== view.pv) return undefined
      return judge(claims, view, proof) === undefined ? actorOf(claims, granted, proof) : undefined
    },

    expiresInS (actor) {
      return Math.max(0, ((actor as { [expiresAt]?: number })[expiresAt] ?? 0) - Math.floor(clock.ms() / 1000))
    }
  }
}

function actorOf (
  { sub, wid, sid, sg, amr, exp, auth_time: authTime }: AccessClaims,
  { roles, pv, can }: Rights,
  { requestId, ip, userAgent }: ProofInput
): Actor {
  return Object.freeze({
    kind: 'user' as const,
    id: sub,
    userId: sub,
    workspaceId: wid,
    roles,
    sessionId: sid,
    deviceId: null,
    gen: sg,
    amr,
    authTime,
    pv,
    requestId,
    ip,
    userAgent,
    can,
    [expiresAt]: exp
  })
}
