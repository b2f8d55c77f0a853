import { queueTopic } from '../../src/jobs/index.ts'
import type { Live, Log, Queue } from '../../src/kernel/index.ts'
import type { QueueControl } from '../../src/jobs/index.ts'

interface Parts { control: QueueControl, live: Live, used: () => readonly Queue[], log: Log }

/** Tells whoever watches a queue how it stands, where that changed; of queues that a declared job uses. */
export function createQueueNews ({ control, live, used, log }: Parts) {
  const told = new Map<Queue, string>()

  return async (): Promise<void> => {
    for (const data of await control.list(used())) {
      const said = JSON.stringify(data)
      if (told.get(data.queue) === said) continue
      told.set(data.queue, said)
      await live.publish(queueTopic, { queue: data.queue }, { kind: 'queue', key: data.queue, data })
        .catch((err: unknown) => {
          told.delete(data.queue)
          log.debug({ err, queue: data.queue }, 'how a queue stands was not published')
        })
    }
  }
}
