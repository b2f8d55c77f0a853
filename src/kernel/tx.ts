/** Filled in by `plugins/mongo.ts` with the driver's session, so that this room names no driver. */
export interface SessionTypes {}

/** The transaction that a write belongs to; opaque for everything but repositories. */
export type Session = SessionTypes extends { session: infer S } ? S : never

/** The notes of one transaction for its participants (`context.ts`). */
export type Notes = ReadonlyMap<symbol, readonly unknown[]>

/** What must happen with a transaction: inside every attempt, and once after the commit (`house.md` 4, 10). */
export interface TxParticipant {
  name: string
  beforeCommit? (session: Session, notes: Notes): Promise<void>
  /** Runs once, before the answer. May fail: what must happen stands in the outbox too. */
  afterCommit? (notes: Notes): Promise<void> | void
  /** Runs once when it is over, committed or not, before its session has another. */
  afterEnd? (session: Session): void
}

export interface Tx {
  /** Runs `work` in a majority transaction, repeated on transient errors; joins the one already at work never. */
  <T>(work: (session: Session) => Promise<T>): Promise<T>
  join (participant: TxParticipant): void
}

/** One process of this installation; pid and start time together name it on its host. */
export interface ProcessId { host: string, pid: number, startedAt: number }
