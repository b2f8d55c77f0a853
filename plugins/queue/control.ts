import type { Bus } from '../../src/kernel/index.ts'

const kind = 'jobs.cancel'
/** Ids in one message. */
const most = 500

/** Tells every worker that nobody wants these runs any more; the store says so too. */
export function tellCancelled (bus: Bus, ids: readonly string[]): void {
  for (let from = 0; from < ids.length; from += most) bus.send(kind, { ids: ids.slice(from, from + most) })
}

export function onCancel (bus: Bus, cancel: (id: string) => void): () => void {
  return bus.on(kind, (data) => { for (const id of data['ids'] as string[]) cancel(id) })
}
