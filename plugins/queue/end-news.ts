import type { RunRepository } from '../../src/jobs/index.ts'
import { leaveNote, type Log, type Tx } from '../../src/kernel/index.ts'
import type { PublishRun } from './progress.ts'

const note = Symbol('runs that ended')

/** Says that runs may have ended outside of their worker; in a transaction it is told after the commit. */
export type TellEnded = (ids: readonly string[]) => void

interface Parts { runs: Pick<RunRepository, 'ended'>, publish: PublishRun, tx: Tx, log: Log }

/** Tells whoever watches them how runs ended that no worker had; read again, since others end runs too. */
export function createEndNews ({ runs, publish, tx, log }: Parts): TellEnded {
  function tell (ids: readonly string[]): void {
    if (ids.length === 0) return
    runs.ended(ids).then(
      (ended) => { for (const run of ended) publish(run, undefined, run.state) },
      (err: unknown) => { log.debug({ err }, 'the end of runs was not published') })
  }
  tx.join({ name: 'ended runs', afterCommit (notes) { tell((notes.get(note) ?? []) as string[]) } })
  return (ids) => {
    // Outside of a transaction there is nothing to wait for.
    if (ids.some((id) => !leaveNote(note, id))) tell(ids)
  }
}
