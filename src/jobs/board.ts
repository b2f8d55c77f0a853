import { hash, randomBytes } from 'node:crypto'
import type { Actor, Cache } from '../kernel/index.ts'

/** How long the board stays open for an operator. */
export const boardSessionMs = 3_600_000
/** Accepted below `/board`, and nowhere else. */
export const boardCookie = '__Host-sy_board'

export interface BoardSessions {
  /** A new session of an operator; the text of its cookie, of which only a hash is kept. */
  open (actor: Actor): Promise<string>
  isOpen (cookie: string | undefined): Promise<boolean>
}

/** A page cannot send a bearer token, so an operator exchanges it for a cookie (`jobs.md` 4.8). */
export function createBoardSessions (cache: Cache): BoardSessions {
  const keyOf = (cookie: string): string => `jobs.board:${hash('sha256', cookie, 'base64url')}`

  return {
    async open ({ userId, id }) {
      const cookie = randomBytes(32).toString('base64url')
      await cache.set(keyOf(cookie), userId ?? id, boardSessionMs)
      return cookie
    },
    async isOpen (cookie) {
      return cookie !== undefined && /^[\w-]{43}$/.test(cookie) && await cache.get(keyOf(cookie)) !== null
    }
  }
}
