import {
  LiveError, closeCodes, isDomainError, replyCodeOf, replyCodes,
  type Actor, type Authenticator, type DomainError, type ReplyError
} from '../../../src/kernel/index.ts'
import { isDenial, type LiveAccess } from './access.ts'
import type { Connection } from './connection.ts'
import type { Subscriptions } from './subscribe.ts'
import type { Subscription } from './subscriptions.ts'

/** Told so long before the end, or half the life of a short token. */
const expiringMs = 60_000
const graceMs = 25_000
const recheckMs = 60_000

export type Proofs = ReturnType<typeof createProofs>

interface ProofsOptions {
  authenticator: () => Authenticator
  access: LiveAccess
  subscriptions: Subscriptions
  nowMs: () => number
}

/** Who a connection is, for how long, and what still is his (`realtime.md` 4.5). */
export function createProofs ({ authenticator, access, subscriptions, nowMs }: ProofsOptions) {
  async function judge (connection: Connection, token: string): Promise<Actor> {
    return await authenticator().authenticate({ token, requestId: null, ip: connection.ip, userAgent: null })
  }

  function take (connection: Connection, actor: Actor, token: string): number {
    const ttl = Math.max(0, Math.floor(authenticator().expiresInS(actor)))
    const now = nowMs()
    Object.assign(connection, {
      actor,
      token,
      expiresMs: now + ttl * 1000,
      expiryNoticeMs: Math.min(expiringMs, ttl * 500),
      recheckMs: now + recheckMs,
      isExpiryTold: false
    })
    connection.look()
    return ttl
  }

  /** The actor as he is now; null where the session ended (the socket is closed) or nobody can tell. */
  async function judgeAgain (connection: Connection): Promise<Actor | null> {
    try {
      return await judge(connection, connection.token)
    } catch (error) {
      if (isDomainError(error) && error.kind === 'unauthenticated' && codeOf(error) !== replyCodes.tokenExpired) {
        connection.bye(closeCodes.sessionEnded, { reason: 'session ended' })
      }
      return null
    }
  }

  async function reviewOne (actor: Actor, subscription: Subscription): Promise<void> {
    try {
      await access.join(actor, subscription.channel.topic, subscription.channel.name)
    } catch (error) {
      if (isDenial(error) && !subscription.isOver) subscriptions.revoke(subscription)
    }
  }

  /** Looks at the session again, then at every channel that is not the server's own. */
  async function review (connection: Connection): Promise<void> {
    if (connection.actor === null || connection.isClosing || nowMs() >= connection.expiresMs) return
    const actor = await judgeAgain(connection)
    if (actor === null) return
    connection.actor = actor
    for (const subscription of [...connection.subscriptions.values()]) {
      if (!subscription.isServerSide) await reviewOne(actor, subscription)
    }
  }

  return {
    judge,
    take,
    review,

    /** Refuses a connection that did not prove itself. */
    refuse (connection: Connection, error: unknown): void {
      const code = isDomainError(error) ? codeOf(error) : replyCodes.internal
      const isUnauthenticated = isDomainError(error) && error.kind === 'unauthenticated'
      if (code === replyCodes.tokenExpired) connection.bye(closeCodes.tokenExpired, { reason: 'token expired' })
      else if (isUnauthenticated) connection.bye(closeCodes.invalidToken, { reason: 'invalid token' })
      else connection.bye(closeCodes.internal, { reason: 'no judgement', retryMs: 1000 })
    },

    /** Announces the end of the proof, ends the connection after it; answers when to look again. */
    onTime (connection: Connection, now: number): number {
      if (connection.actor === null) return 1000
      const leftMs = connection.expiresMs - now
      if (leftMs <= -graceMs) {
        connection.bye(closeCodes.tokenExpired, { reason: 'token expired' })
        return 0
      }
      if (leftMs <= connection.expiryNoticeMs && !connection.isExpiryTold) {
        connection.isExpiryTold = true
        connection.send({ t: 'expiring', in: Math.max(0, Math.round(leftMs / 1000)) })
      }
      if (now >= connection.recheckMs) {
        connection.recheckMs = now + recheckMs
        void review(connection)
      }
      const untilExpiryMs = connection.isExpiryTold ? leftMs + graceMs : leftMs - connection.expiryNoticeMs
      return Math.min(untilExpiryMs, connection.recheckMs - now)
    }
  }
}

function codeOf (error: DomainError): number {
  return replyCodeOf(error.code, error.kind)
}

/** An error as the reply to a command shows it; what is not ours to show is `live.internal`. */
export function replyErrorOf (error: unknown): ReplyError {
  const known = isDomainError(error) ? error : LiveError.internal()
  const { retryAfterMs } = known.options
  const code = codeOf(known)
  const isTemporary = known.kind === 'unavailable' || known.kind === 'rate_limited'
  return {
    code,
    key: known.code,
    msg: known.message,
    temp: isTemporary,
    ...(isTemporary ? { retryMs: Math.round(retryAfterMs ?? 1000) } : {})
  }
}
