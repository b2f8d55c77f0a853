import {
  uuidv7, type Bus, type Clock, type EventBus, type Log, type Session, type Tx
} from '../kernel/index.ts'
import type { AccessTokens } from './access-token.ts'
import { accessTokenLifeS } from './access-token.ts'
import { IdentityError } from './errors.ts'
import { sessionOpened, sessionRevoked } from './events.ts'
import type { RefreshTokens } from './refresh-token.ts'
import type { RevocationReason, SessionRecord, SessionRepository, UserRepository } from './repository/index.ts'
import { idleMs, lifeMs } from './session-scripts.ts'
import type { Refreshed, Rotation, SessionStore } from './session-store.ts'
import type { SessionViews } from './session-views.ts'

/** The answer of everything that proves presence; `refreshToken` leaves as cookie for web clients. */
export interface TokenPair { accessToken: string, expiresInS: number, refreshToken: string }

/** What a request says about the client. */
export interface ClientFacts {
  client: 'web' | 'native'
  deviceName: string | null
  ip: string | null
  userAgent: string | null
}

export interface Opening {
  userId: string
  workspaceId: string
  pv: number
  amr: string[]
  mustChangePassword: boolean
  facts: ClientFacts
}

interface Collaborators {
  sessions: SessionRepository
  users: UserRepository
  store: SessionStore
  views: SessionViews
  accessTokens: AccessTokens
  refreshTokens: RefreshTokens
  events: EventBus
  bus: Bus
  tx: Tx
  clock: Clock
  log: Log
}

export type Sessions = ReturnType<typeof createSessions>

/** Sessions in Redis and MongoDB together (`identity.md` 4.3, 4.4); MongoDB is the truth of what exists. */
export function createSessions (with_: Collaborators) {
  const { sessions, users, store, views, accessTokens, refreshTokens, events, bus, tx, clock, log } = with_

  /** Throws `store_unavailable` before anything is written where Redis is away. */
  async function reach (): Promise<void> {
    await inRedis(async () => { await store.reach() })
  }

  async function pair (userId: string, sessionId: string, { n, gen, workspaceId, amr, authTime, pv }: Rotation) {
    const version = pv ?? (await users.find(userId))?.pv ?? 1
    const accessToken = await accessTokens.sign({
      sub: userId, wid: workspaceId, sid: sessionId, sg: gen, rc: n, pv: version, amr, auth_time: authTime
    })
    return {
      accessToken, expiresInS: accessTokenLifeS, refreshToken: refreshTokens.make({ userId, sessionId, counter: n })
    }
  }

  async function open ({ userId, workspaceId, pv, amr, mustChangePassword, facts }: Opening): Promise<TokenPair> {
    const now = clock.now()
    const known = await sessions.live(userId, new Date(now.getTime() - lifeMs))
    const session: SessionRecord = {
      id: uuidv7(now.getTime()),
      userId,
      workspaceId,
      ...facts,
      createdAt: now,
      lastSeenAt: now,
      n: 1,
      gen: 1,
      amr,
      authTime: Math.floor(now.getTime() / 1000),
      mustChangePassword,
      revokedAt: null,
      reason: null
    }
    await tx(async (unit) => {
      await sessions.add(unit, session)
      await events.emit(unit, sessionOpened, { sessionId: session.id, userId, client: facts.client },
        { type: 'session', id: session.id }, { workspaceId })
    })
    const evicted = await admit(session, pv, known)
    for (const id of evicted) await revoke(userId, id, 'limit')
    return await pair(userId, session.id, { ...session, pv })
  }

  async function admit (session: SessionRecord, pv: number, known: readonly SessionRecord[]): Promise<string[]> {
    try {
      return await inRedis(async () => await store.open(session, pv, known))
    } catch (error) {
      await tx(async (unit) => {
        await sessions.revoke(unit, session.userId, session.id, 'not-opened', clock.now())
      })
      throw error
    }
  }

  /** The state and its event; what follows in Redis and at the sockets is `end`. */
  async function revokeIn (unit: Session, userId: string, id: string, reason: RevocationReason): Promise<boolean> {
    if (!await sessions.revoke(unit, userId, id, reason, clock.now())) return false
    await events.emit(
      unit, sessionRevoked, { sessionId: id, userId, reason }, { type: 'session', id }, { workspaceId: '' }
    )
    return true
  }

  /** Ends a revoked session everywhere; harmless to repeat. */
  async function end (userId: string, id: string): Promise<void> {
    views.end(id)
    await store.revoke(userId, id)
    bus.send('session-ended', { sessionId: id, userId })
  }

  async function revoke (userId: string, id: string, reason: RevocationReason): Promise<boolean> {
    const isNew = await tx(async (unit) => await revokeIn(unit, userId, id, reason))
    // Unknown here means foreign: nothing may happen to it, not even in this process.
    if (!isNew) return false
    await end(userId, id).catch((error: unknown) => {
      // The event's own run does it again once Redis is back.
      log.warn({ err: error, sessionId: id }, 'a revoked session is not ended in Redis yet')
    })
    return true
  }

  async function decide (userId: string, id: string, counter: number): Promise<Refreshed> {
    if (!await views.isTrusted(userId, id)) return { is: 'ended' }
    const first = await inRedis(async () => await store.refresh(userId, id, counter, clock.ms()))
    if (first.is !== 'missing') return first
    if (!await views.restore(userId, id, first.askedAt)) return { is: 'ended' }
    return await inRedis(async () => await store.refresh(userId, id, counter, clock.ms()))
  }

  /** The table of `identity.md` 4.3. Throws `token_invalid`, `session_ended`, `store_unavailable`. */
  async function refresh (token: string): Promise<TokenPair> {
    const { userId, sessionId, counter } = refreshTokens.read(token)
    const verdict = await decide(userId, sessionId, counter)
    if (verdict.is === 'reuse') {
      log.warn({ sessionId, userId }, 'a refresh token was used twice; its session ends')
      await revoke(userId, sessionId, 'reuse')
    }
    if (!('rotation' in verdict)) throw IdentityError.session_ended()
    if (verdict.is === 'lost') log.info({ sessionId, userId }, 'a lost answer of a refresh was repeated')
    return await pair(userId, sessionId, verdict.rotation)
  }

  return {
    reach, open, refresh, revoke, revokeIn, end,

    /** Live sessions of a person, the newest first. */
    async list (userId: string): Promise<SessionRecord[]> {
      const now = clock.ms()
      const rows = await sessions.live(userId, new Date(now - lifeMs))
      return rows.filter((row) => endsAtMs(row) > now)
    },

    /** Tokens of the same session for another workspace. */
    async moveTo (userId: string, sessionId: string, workspaceId: string): Promise<TokenPair> {
      await reach()
      if (!await sessions.setWorkspace(userId, sessionId, workspaceId)) throw IdentityError.session_ended()
      await inRedis(async () => { await store.change(userId, sessionId, { wid: workspaceId }) })
      const session = await sessions.find(userId, sessionId)
      if (session === undefined) throw IdentityError.session_ended()
      return await pair(userId, sessionId, { ...session, n: await views.counter(userId, sessionId), pv: null })
    },

    /** After a raised generation: old access tokens die within the grace of 10 s. */
    async renew (userId: string, sessionId: string, gen: number): Promise<void> {
      views.drop(sessionId)
      await inRedis(async () => {
        await store.change(userId, sessionId, { gen, genAt: clock.ms(), mustChange: 0 })
      })
      views.drop(sessionId)
      bus.send('session-changed', { sessionId })
    }
  }
}

/** Expiry of a session in milliseconds since the epoch. */
export function endsAtMs ({ createdAt, lastSeenAt }: Pick<SessionRecord, 'createdAt' | 'lastSeenAt'>): number {
  return Math.min(lastSeenAt.getTime() + idleMs, createdAt.getTime() + lifeMs)
}

async function inRedis<T> (work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (cause) {
    throw IdentityError.store_unavailable({}, { cause, retryAfterMs: 2000 })
  }
}
