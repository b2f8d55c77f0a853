import type { ProcessId } from './tx.ts'

export interface LeaseTurn {
  /** Rises with every holder; every write of the loop carries it. */
  fence: number
  /** Aborts two seconds before the lease could lapse, and when the port closes. */
  signal: AbortSignal
}

/** The right to run a loop in one process at a time (`jobs.md` 4.2). */
export interface Leases {
  /** Competes for the lease, calls `loop` while it is held, competes again after a loss. Waits for the port to work. */
  hold (name: string, loop: (turn: LeaseTurn) => Promise<void>): void
  holder (name: string): Promise<{ holder: ProcessId, fence: number, until: Date } | null>
}
