import type { ScriptRunner } from '../kernel/index.ts'
import type { SessionRecord } from './repository/index.ts'
import {
  changeScript, mostSessions, openScript, raiseVersionScript, reachScript, refreshScript, restoreScript, revokeScript,
  viewScript
} from './session-scripts.ts'

/** What decides about a request of a session; `genAt` and times in milliseconds since the epoch. */
export interface SessionView { gen: number, genAt: number, pv: number | null, mustChangePassword: boolean }

export type Viewed =
  | { is: 'ended' }
  | { is: 'missing', askedAt: string }
  | { is: 'ok', view: SessionView, n: number, isDue: boolean }

export interface Rotation {
  n: number
  gen: number
  workspaceId: string
  amr: string[]
  authTime: number
  pv: number | null
}

export type Refreshed =
  | { is: 'ended' | 'reuse' }
  | { is: 'missing', askedAt: string }
  | { is: 'rotated' | 'repeated' | 'lost', rotation: Rotation }

/** The sessions in Redis: each verb is one script. */
export interface SessionStore {
  reach (): Promise<void>
  view (userId: string, id: string, counter: number, nowMs: number): Promise<Viewed>
  refresh (userId: string, id: string, counter: number, nowMs: number): Promise<Refreshed>
  /** Writes a session and makes room for it; `known` are the live ones of the database. Answers who was evicted. */
  open (session: SessionRecord, pv: number, known: readonly SessionRecord[]): Promise<string[]>
  restore (session: SessionRecord, pv: number, askedAt: string, nowMs: number): Promise<'ok' | 'ended' | 'late'>
  revoke (userId: string, id: string): Promise<void>
  change (userId: string, id: string, fields: Record<string, string | number>): Promise<void>
  raiseVersion (userId: string, pv: number): Promise<void>
}

export function createSessionStore (scripts: ScriptRunner): SessionStore {
  return {
    async reach () { await scripts.run(reachScript, ['identity:reach'], []) },

    async view (userId, id, counter, nowMs) {
      const [is, ...rest] = await scripts.run(viewScript, keysOf(userId, id), [nowMs, id, counter]) as string[]
      if (is === 'missing') return { is, askedAt: rest[0] as string }
      if (is !== 'ok') return { is: 'ended' }
      const [gen, genAt, pv, n, isDue, mustChange] = rest
      const view = {
        gen: Number(gen), genAt: Number(genAt), pv: optional(pv), mustChangePassword: mustChange === '1'
      }
      return { is, view, n: Number(n), isDue: isDue === '1' }
    },

    async refresh (userId, id, counter, nowMs) {
      const [is, ...rest] = await scripts.run(refreshScript, keysOf(userId, id), [nowMs, id, counter]) as string[]
      if (is === 'missing') return { is, askedAt: rest[0] as string }
      if (is !== 'rotated' && is !== 'repeated' && is !== 'lost') return { is: is === 'reuse' ? is : 'ended' }
      const [n, gen, workspaceId = '', amr = '', authTime, pv] = rest
      const rotation = {
        n: Number(n), gen: Number(gen), workspaceId, amr: amr.split(' '), authTime: Number(authTime), pv: optional(pv)
      }
      return { is, rotation }
    },

    async open (session, pv, known) {
      const fields = fieldsOf(session, session.n)
      const keys = [...keysOf(session.userId, session.id), ...known.map(({ id }) => tombOf(session.userId, id))]
      const pairs = known.flatMap(({ id, lastSeenAt }) => [id, lastSeenAt.getTime()])
      return await scripts.run(openScript, keys, [
        session.createdAt.getTime(), session.id, pv, mostSessions, fields.length, ...fields, ...pairs
      ]) as string[]
    },

    async restore (session, pv, askedAt, nowMs) {
      // Whether the last pair was ever used is lost, so one repeat of it is no theft.
      const fields = fieldsOf(session, session.n - 1)
      return await scripts.run(restoreScript, keysOf(session.userId, session.id), [
        nowMs, session.id, pv, askedAt, ...fields
      ]) as 'ok' | 'ended' | 'late'
    },

    async revoke (userId, id) { await scripts.run(revokeScript, keysOf(userId, id), [id]) },

    async change (userId, id, fields) {
      await scripts.run(changeScript, keysOf(userId, id), Object.entries(fields).flat())
    },

    async raiseVersion (userId, pv) { await scripts.run(raiseVersionScript, [`identity:pv:{${userId}}`], [pv]) }
  }
}

function keysOf (userId: string, id: string): string[] {
  return [`identity:s:{${userId}}:${id}`, tombOf(userId, id), `identity:us:{${userId}}`, `identity:pv:{${userId}}`]
}

function tombOf (userId: string, id: string): string {
  return `identity:x:{${userId}}:${id}`
}

function fieldsOf (session: SessionRecord, confirmed: number): Array<string | number> {
  const seenAt = session.lastSeenAt.getTime()
  return Object.entries({
    n: session.n,
    gen: session.gen,
    genAt: session.createdAt.getTime(),
    rotatedAt: seenAt,
    confirmed,
    createdAt: session.createdAt.getTime(),
    seenAt,
    flushedAt: seenAt,
    wid: session.workspaceId,
    amr: session.amr.join(' '),
    authTime: session.authTime,
    mustChange: session.mustChangePassword ? 1 : 0
  }).flat()
}

function optional (text: string | undefined): number | null {
  return text === undefined || text === '' ? null : Number(text)
}
