import type { FastifyInstance } from 'fastify'
import type { LiveDocument } from '../../../src/kernel/index.ts'
import type { Documents } from './documents.ts'
import type { Sources } from './sources.ts'

const overlapMs = 5 * 60_000
const page = 500

/** After a gap of the stream: publishes what is not final or changed since; repeats are refused by their versions. */
export async function resync (
  db: FastifyInstance['db'], { sources, documents, since, signal }: {
    sources: Sources, documents: Documents, since: Date, signal: AbortSignal
  }
): Promise<number> {
  let count = 0
  for (const [collection, some] of sources.byCollection) {
    const filter = {
      $or: [
        { updatedAt: { $gte: new Date(since.getTime() - overlapMs) } },
        ...some.flatMap(({ binding }) => binding.unfinished === undefined ? [] : [binding.unfinished])
      ]
    }
    let batch: LiveDocument[] = []
    const flush = async (): Promise<void> => {
      const steps = new Map(batch.map((document) => [document._id, [{ document, isEdge: true }]]))
      count += batch.length
      batch = []
      await (await documents.publish(collection, steps)).settled
    }
    for await (const document of db.collection<LiveDocument>(collection).find(filter, { batchSize: page })) {
      if (signal.aborted) return count
      batch.push(document as LiveDocument)
      if (batch.length === page) await flush()
    }
    if (batch.length > 0) await flush()
  }
  return count
}
