import type { Clock, Log } from '../kernel/index.ts'
import { IdentityError } from './errors.ts'
import { createLru } from './lru.ts'
import type { SessionRecord, SessionRepository, UserRepository } from './repository/index.ts'
import { idleMs, lifeMs } from './session-scripts.ts'
import type { SessionStore, SessionView } from './session-store.ts'

interface Collaborators {
  sessions: SessionRepository
  users: UserRepository
  store: SessionStore
  /** False while Redis is known to be away: then nobody waits for it. */
  isRedisReady: () => boolean
  clock: Clock
  log: Log
}

/** `counter`: the highest refresh counter that Redis was told of. */
interface Kept { loading: Promise<CheckedView>, counter: number, view?: CheckedView }

export type CheckedView = SessionView & { pv: number }
export type SessionViews = ReturnType<typeof createSessionViews>

const keptMs = 1000
/** After Redis came back, MongoDB is asked too for so long. */
const distrustMs = 15 * 60_000

/** What a request needs to know of its session: at most one second old, dropped at once by what ends it. */
export function createSessionViews ({ sessions, users, store, isRedisReady, clock, log }: Collaborators) {
  const views = createLru<Kept>(20_000)
  let distrustedUntil = 0

  async function load (userId: string, id: string, counter: number): Promise<CheckedView> {
    if (!isRedisReady()) return await fromDatabase(userId, id)
    const seen = await store.view(userId, id, counter, clock.ms()).catch((error: unknown) => {
      log.debug({ err: error }, 'Redis does not answer; the session is looked up in MongoDB')
    })
    if (seen === undefined) return await fromDatabase(userId, id)
    if (seen.is === 'ended') throw IdentityError.session_ended()
    if (seen.is === 'missing') {
      if (!await restore(userId, id, seen.askedAt)) throw IdentityError.session_ended()
      return await fromDatabase(userId, id)
    }
    if (seen.isDue) flush(userId, id, seen.n)
    if (seen.view.pv === null || clock.ms() < distrustedUntil) return await doubt(userId, id, seen.view)
    return { ...seen.view, pv: seen.view.pv }
  }

  async function fromDatabase (userId: string, id: string): Promise<CheckedView> {
    const [session, user] = await Promise.all([sessions.find(userId, id), users.find(userId)])
    if (session === undefined || user === undefined || !isAlive(session)) throw IdentityError.session_ended()
    const { gen, createdAt, mustChangePassword } = session
    return { gen, genAt: createdAt.getTime(), pv: user.pv, mustChangePassword }
  }

  /** Redis may have lost its last second: a revocation of it must not be undone. */
  async function doubt (userId: string, id: string, view: SessionView): Promise<CheckedView> {
    const sure = await fromDatabase(userId, id)
    await store.raiseVersion(userId, sure.pv)
    return { ...view, gen: Math.max(view.gen, sure.gen), pv: Math.max(view.pv ?? 0, sure.pv) }
  }

  function flush (userId: string, id: string, n: number): void {
    sessions.touch(userId, id, clock.now(), n).catch((error: unknown) => {
      log.warn({ err: error, sessionId: id }, 'the last use of a session was not written down')
    })
  }

  /** Brings a session back that Redis no longer holds; false where it has ended. */
  async function restore (userId: string, id: string, askedAt: string): Promise<boolean> {
    const [session, user] = await Promise.all([sessions.find(userId, id), users.find(userId)])
    if (session === undefined || user === undefined || !isAlive(session)) return false
    return await store.restore(session, user.pv, askedAt, clock.ms()) === 'ok'
  }

  function isAlive ({ revokedAt, lastSeenAt, createdAt }: SessionRecord): boolean {
    const now = clock.ms()
    return revokedAt === null && now < Math.min(lastSeenAt.getTime() + idleMs, createdAt.getTime() + lifeMs)
  }

  return {
    restore,

    /** Throws `session_ended`. `counter` of the access token proves that its refresh token arrived. */
    async of (userId: string, id: string, counter: number): Promise<CheckedView> {
      const now = clock.ms()
      const kept = views.get(id, now)
      if (kept !== undefined && kept.counter >= counter) return await kept.loading
      const mine: Kept = { loading: load(userId, id, counter), counter }
      views.set(id, mine, now + keptMs)
      mine.loading.then((view) => { mine.view = view }, () => { if (views.get(id, now) === mine) views.delete(id) })
      return await mine.loading
    },

    /** What `of` would answer, where it is here already. */
    known (id: string, counter: number, nowMs: number): CheckedView | undefined {
      const kept = views.get(id, nowMs)
      return kept !== undefined && kept.counter >= counter ? kept.view : undefined
    },

    /** False where Redis is in doubt and MongoDB knows better. */
    async isTrusted (userId: string, id: string): Promise<boolean> {
      if (clock.ms() >= distrustedUntil) return true
      const session = await sessions.find(userId, id)
      return session !== undefined && isAlive(session)
    },

    async counter (userId: string, id: string): Promise<number> {
      const seen = await store.view(userId, id, 0, clock.ms())
      if (seen.is !== 'ok') throw IdentityError.session_ended()
      return seen.n
    },

    drop (id: string): void { views.delete(id) },

    /** Ended here and now: a view that is under way counts no more. */
    end (id: string): void {
      const ended = Promise.reject(IdentityError.session_ended())
      ended.catch(() => undefined)
      views.set(id, { loading: ended, counter: Infinity }, clock.ms() + keptMs)
    },

    /** After Redis was away: writes the tombstones and versions again that it may have lost. */
    async reapply (): Promise<void> {
      distrustedUntil = clock.ms() + distrustMs
      const since = new Date(clock.ms() - distrustMs)
      const [revoked, versions] = await Promise.all([sessions.revokedSince(since), users.versionsSince(since)])
      for (const { userId, id } of revoked) await store.revoke(userId, id)
      for (const { userId, pv } of versions) await store.raiseVersion(userId, pv)
    }
  }
}
