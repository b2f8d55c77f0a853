import { setTimeout as sleep } from 'node:timers/promises'
import type { Session } from '../../kernel/index.ts'

/** Nobody is waited for longer; then the store decides who was first. */
const mostWaitMs = 5000

/**
 * Lets the transactions of this process that write one document come one after the other. The store takes one of them
 * and throws the others back, each time after more work and a longer pause of the driver.
 */
export function createInTurn (waitMs = mostWaitMs) {
  /** By name the end of whoever is last in line. */
  const lines = new Map<string, Promise<void>>()
  const inLine = new Map<Session, () => void>()

  return {
    /** Waits for those who came before, and has its turn until its transaction is over. Who has one waits no more. */
    async wait (session: Session, name: string): Promise<void> {
      if (inLine.has(session)) return
      const before = lines.get(name)
      const { promise: end, resolve } = Promise.withResolvers<void>()
      lines.set(name, end)
      inLine.set(session, () => {
        if (lines.get(name) === end) lines.delete(name)
        resolve()
      })
      if (before === undefined) return
      const isBefore = new AbortController()
      await Promise.race([before, sleep(waitMs, undefined, isBefore).catch(() => undefined)])
      isBefore.abort()
    },

    /** The transaction of the session is over, however it ended. */
    over (session: Session): void {
      inLine.get(session)?.()
      inLine.delete(session)
    }
  }
}

export type InTurn = ReturnType<typeof createInTurn>
