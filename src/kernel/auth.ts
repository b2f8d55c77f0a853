import type { Actor } from './actor.ts'

export type Proof = 'session' | 'apiKey'

/** The declaration every route carries as `config.auth` (`identity.md` 3.2). */
export type RouteAuth =
  | { public: string }
  | {
    by: readonly Proof[]
    /** `<domain>:<resource>:<action>`, or `self`: only the actor's own account. */
    permission: string
    /** `param:<name>[:<kind>]`, the access function that decides; or why none does. */
    owner?: string | { none: string }
    /** Greatest age of `authTime` in seconds. */
    freshness?: number
    /** Open to a session that has to change its one-time password first (`identity.md` 4.6). */
    isOpenBeforePasswordChange?: true
  }

/** Rate classes of `conventions.md` 4.6 and the special buckets of `identity.md` 4.13 that exist. */
export const rateClasses = ['read', 'list', 'write', 'search', 'auth', 'mail', 'refresh', 'media', 'free'] as const
export type RateClass = typeof rateClasses[number]

export interface PermissionDeclaration {
  kind: 'read' | 'write'
  roles: readonly string[]
  sentence: string
}

export interface PermissionDefinition extends PermissionDeclaration { name: string }

/** Permissions of a domain as data: `definePermissions('social', { 'account:read': { ... } })`. */
export function definePermissions (domain: string, table: Record<string, PermissionDeclaration>) {
  return Object.entries(table).map(([key, declaration]): PermissionDefinition =>
    ({ ...declaration, name: `${domain}:${key}` }))
}

export interface ProofInput {
  /** The bearer token as it came. */
  token: string
  requestId: string | null
  ip: string | null
  userAgent: string | null
  /** The route is open before a one-time password was changed. */
  mayChangePassword?: boolean
}

/** Handed up by identity; judges a proof for requests, sockets and internal calls. Throws `identity.*` errors. */
export interface Authenticator {
  authenticate (proof: ProofInput): Promise<Actor>
  /** The same from memory, without waiting; undefined where something has to be asked for or is refused. */
  known? (proof: ProofInput): Actor | undefined
  /** Seconds until the proof of this actor expires; what a socket is told as its `ttl`. */
  expiresInS (actor: Actor): number
}
