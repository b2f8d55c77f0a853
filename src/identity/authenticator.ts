import type { Actor, Authenticator, Clock, ProofInput } from '../kernel/index.ts'
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

const membershipMs = 60_000

/** Judges access tokens: token, session, generation, permission version, membership, in this order. */
export function createAuthenticator (
  { accessTokens, views, workspaces, permissionsOf, clock }: Collaborators
): Authenticator {
  const memberships = createLru<Promise<MemberRecord | undefined>>(5000)
  const expiries = new WeakMap<Actor, number>()

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

  function judge (claims: AccessClaims, view: CheckedView, proof: ProofInput): void {
    const isInGrace = claims.sg === view.gen - 1 && clock.ms() - view.genAt <= graceMs
    if (claims.sg !== view.gen && !isInGrace) throw IdentityError.token_stale()
    if (claims.pv < view.pv) throw IdentityError.token_stale()
    if (view.mustChangePassword && proof.mayChangePassword !== true) throw IdentityError.password_change_required()
  }

  return {
    async authenticate (proof) {
      if (proof.token === '') throw IdentityError.token_missing()
      const claims = await accessTokens.verify(proof.token)
      const view = await views.of(claims.sub, claims.sid, claims.rc)
      judge(claims, view, proof)
      const { roles } = await membershipOf(claims, view.pv)
      const actor = actorOf(claims, { roles, pv: view.pv, permissions: permissionsOf(roles) }, proof)
      expiries.set(actor, claims.exp)
      return actor
    },

    expiresInS (actor) {
      return Math.max(0, (expiries.get(actor) ?? 0) - Math.floor(clock.ms() / 1000))
    }
  }
}

function actorOf (
  { sub, wid, sid, sg, amr, auth_time: authTime }: AccessClaims,
  { roles, pv, permissions }: { roles: readonly string[], pv: number, permissions: ReadonlySet<string> },
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
    can: (permission: string) => permissions.has(permission)
  })
}
