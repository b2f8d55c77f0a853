export type ActorKind = 'user' | 'key' | 'service' | 'system' | 'anonymous'

/** Who acts; frozen, on every request, socket command and job (`identity.md` 3.1). */
export interface Actor {
  readonly kind: ActorKind
  readonly id: string
  readonly userId: string | null
  /** The tenant of the proof; nothing else ever chooses it. Empty only for anonymous and installation-wide work. */
  readonly workspaceId: string
  readonly roles: readonly string[]
  readonly sessionId: string | null
  readonly deviceId: string | null
  readonly gen: number | null
  readonly amr: readonly string[]
  /** Seconds since the epoch of the last proof of presence. */
  readonly authTime: number | null
  readonly pv: number | null
  readonly requestId: string | null
  readonly ip: string | null
  readonly userAgent: string | null
  can (permission: string): boolean
}

/** What goes into events, jobs, documents and audit. */
export interface ActorRef { kind: ActorKind, id: string, userId: string | null, workspaceId: string }

export function actorRef ({ kind, id, userId, workspaceId }: Actor): ActorRef {
  return { kind, id, userId, workspaceId }
}

const nobody = {
  roles: [], sessionId: null, deviceId: null, gen: null, amr: [], authTime: null, pv: null,
  requestId: null, ip: null, userAgent: null
} as const

/** A caller without a proof. */
export function anonymousActor (from: Partial<Pick<Actor, 'requestId' | 'ip' | 'userAgent'>> = {}): Actor {
  return Object.freeze({
    ...nobody, ...from, kind: 'anonymous' as const, id: '', userId: null, workspaceId: '', can: () => false
  })
}

/** The product itself at work in one workspace: a job, a subscriber, a loop. */
export function systemActor (id: string, workspaceId: string, userId: string | null = null): Actor {
  return Object.freeze({ ...nobody, kind: 'system' as const, id, userId, workspaceId, can: () => true })
}
