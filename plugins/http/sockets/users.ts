import { closeCodes, type Bus } from '../../../src/kernel/index.ts'
import type { LiveAccess } from './access.ts'
import type { Connection } from './connection.ts'

interface UsersOptions {
  perUser: number
  bus: Bus
  node: string
  review: (connection: Connection) => Promise<void>
  access: LiveAccess
}

/** Connections by user, and what the bus says about their sessions and rights. */
export function createUsers ({ perUser, bus, node, review, access }: UsersOptions) {
  const byUser = new Map<string, Set<Connection>>()

  function of (userId: unknown): Connection[] {
    return typeof userId === 'string' ? [...byUser.get(userId) ?? []] : []
  }

  const stops = [
    bus.on('session-ended', ({ sessionId, userId }) => {
      for (const connection of of(userId)) {
        if (connection.actor?.sessionId !== sessionId) continue
        connection.bye(closeCodes.sessionEnded, { reason: 'session ended' })
      }
    }),
    bus.on('key-revoked', ({ keyId }) => {
      for (const connection of [...byUser.values()].flatMap((set) => [...set])) {
        if (connection.actor?.kind !== 'key' || connection.actor.id !== keyId) continue
        connection.bye(closeCodes.sessionEnded, { reason: 'session ended' })
      }
    }),
    bus.on('pv-raised', ({ userId }) => {
      access.forget()
      for (const connection of of(userId)) void review(connection)
    }),
    bus.on('live-connected', ({ session, userId, cid, from }) => {
      for (const connection of of(userId)) {
        if (connection.session !== session || (from === node && connection.cid === cid)) continue
        connection.bye(closeCodes.superseded, { reason: 'superseded', resume: false })
      }
    })
  ]

  return {
    /**
     * Tells the other processes first: an older socket of the same session goes. The longest here goes when there are
     * too many.
     */
    add (connection: Connection): void {
      const userId = connection.actor?.userId
      if (userId === null || userId === undefined) return
      bus.send('live-connected', { session: connection.session, userId, cid: connection.cid, from: node })
      const set = byUser.get(userId) ?? new Set()
      byUser.set(userId, set.add(connection))
      const [eldest] = set
      if (set.size > perUser) eldest?.bye(closeCodes.connectionLimit, { reason: 'connection limit' })
    },
    remove (connection: Connection): void {
      const userId = connection.actor?.userId
      if (userId === null || userId === undefined) return
      const set = byUser.get(userId)
      set?.delete(connection)
      if (set?.size === 0) byUser.delete(userId)
    },
    close (): void { for (const stop of stops) stop() }
  }
}
