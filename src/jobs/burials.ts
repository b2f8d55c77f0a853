import { runDead, type DomainEvent, type EventBus, type Session } from '../kernel/index.ts'
import { groupOpened } from './events.ts'
import type { Letter, LetterRepository } from './repository.ts'
import type { RunRow } from './run.ts'

interface Parts {
  letters: LetterRepository
  /** Stands above this slice's plugin: there when a run dies, not when it is put together. */
  events: () => Pick<EventBus, 'emit'>
}

/** Answers whether no other letter of the fingerprint is open. */
export type OnBuried = (session: Session, run: RunRow, letter: Letter) => Promise<boolean>

const own: ReadonlySet<string> = new Set([runDead.name, groupOpened.name])

/** Tells of a death in the transaction that writes its letter (`jobs.md` 4.5). */
export function createBurials ({ letters, events }: Parts): OnBuried {
  return async (session, run, letter) => {
    const isFirst = await letters.openGroup(session, letter)
    // Whoever hears of deaths and dies of it would hear of that, and so on.
    if (run.cause?.kind === 'event' && own.has((run.data as DomainEvent).type)) return isFirst
    const { _id: letterId, workspaceId, name, class: cause, code, fingerprint } = letter
    const data = { letterId, name, class: cause, code, fingerprint }
    await events().emit(session, runDead, { ...data, runId: run._id }, { type: 'run', id: run._id }, { workspaceId })
    if (isFirst) {
      await events().emit(session, groupOpened, data, { type: 'letter-group', id: fingerprint }, { workspaceId })
    }
    return isFirst
  }
}
