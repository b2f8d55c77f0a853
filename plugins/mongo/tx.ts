import type { ClientSession, TransactionOptions } from 'mongodb'
import { withNotes, type Log, type Tx, type TxParticipant } from '../../src/kernel/index.ts'

const options: TransactionOptions = {
  readConcern: { level: 'snapshot' },
  writeConcern: { w: 'majority' },
  readPreference: 'primary'
}

type UseSession = <T>(work: (session: ClientSession) => Promise<T>) => Promise<T>

/** Majority transactions with participants (`house.md` 4, 10). */
export function createTx (useSession: UseSession, log: Log): Tx {
  const participants: TxParticipant[] = []

  async function tx<T> (work: (session: ClientSession) => Promise<T>): Promise<T> {
    const notes = new Map<symbol, unknown[]>()
    const result = await useSession(async (session) => {
      try {
        return await session.withTransaction(async () => {
          notes.clear()
          return await withNotes(notes, async () => {
            const answer = await work(session)
            for (const { beforeCommit } of participants) await beforeCommit?.(session, notes)
            return answer
          })
        }, options)
      } finally {
        for (const { afterEnd } of participants) afterEnd?.(session)
      }
    })
    for (const participant of participants) await afterCommit(participant, notes)
    return result
  }

  async function afterCommit (participant: TxParticipant, notes: Map<symbol, unknown[]>): Promise<void> {
    try {
      await participant.afterCommit?.(notes)
    } catch (err) {
      // It is committed, and the outbox will do it again: the caller's answer stays true.
      log.warn({ err, participant: participant.name }, 'a participant failed after the commit')
    }
  }

  return Object.assign(tx, { join (participant: TxParticipant) { participants.push(participant) } })
}
