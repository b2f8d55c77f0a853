import type { Db } from 'mongodb'
import { endStates, type Session } from '../../kernel/index.ts'
import type { RunRow, StartKey } from '../run.ts'
import { createNeedRepository, type EndedNeed, type SettledNeeds } from './needs.ts'
import { groupDone, operationsOf, type Outcome } from './outcomes.ts'

/** What hears of the ends of needs, in the transaction that writes them. */
export interface OnSettled {
  /** A queue got a run that waits for nothing any more. */
  onFreed: (queue: string) => void
  /** Runs ended because one that they need did not end well. */
  onFailed: (ids: readonly string[]) => void
}

/** Ends of starts that other runs wait for: they are told in the same transaction. */
export function createNeededEnds (db: Db, { onFreed, onFailed }: OnSettled) {
  const needs = createNeedRepository(db)
  const rows = db.collection<RunRow>('jobs.runs')

  async function settle (session: Session, ended: readonly EndedNeed[], now: Date): Promise<SettledNeeds> {
    const settled = await needs.settle(session, ended, now)
    for (const queue of settled.queues) onFreed(queue)
    onFailed(settled.failed)
    return settled
  }

  return {
    /** Those of the starts that others wait for. */
    async needed (keys: readonly StartKey[]): Promise<StartKey[]> {
      const found = await rows.find(
        { _id: { $in: keys.map(({ id }) => id) }, state: 'running', isNeeded: true },
        { projection: { fence: 1, claim: 1 } }).toArray()
      const byId = new Map(found.map(({ _id, fence, claim }) => [_id, `${fence} ${claim}`]))
      return keys.filter(({ id, fence, claim }) => byId.get(id) === `${fence} ${claim}`)
    },

    /** Ends starts and tells those who wait; how many of them had their runs still. */
    async endNeeded (
      session: Session, outcomes: ReadonlyArray<{ key: StartKey, outcome: Outcome }>, now: Date
    ): Promise<number> {
      await rows.bulkWrite(operationsOf(groupDone(outcomes), now), { session })
      const found = await rows.find(
        { _id: { $in: outcomes.map(({ key }) => key.id) }, state: { $in: [...endStates] } },
        { session, projection: { claim: 1, state: 1 } }).toArray()
      const claimOf = new Map(outcomes.map(({ key }) => [key.id, key.claim]))
      const ended = found.filter(({ _id, claim }) => claimOf.get(_id) === claim)
      await settle(session, ended.map(({ _id: id, state }) => ({ id, isMet: state === 'done' })), now)
      return ended.length
    },

    /** Tells those who wait for a run that is dead; the runs that ended for it. */
    async failNeeded (session: Session, id: string, now: Date): Promise<string[]> {
      const isNeeded = await rows.findOne({ _id: id, isNeeded: true }, { session, projection: { _id: 1 } }) !== null
      return isNeeded ? (await settle(session, [{ id, isMet: false }], now)).failed : []
    }
  }
}
