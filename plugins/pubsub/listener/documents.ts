import type { FastifyInstance } from 'fastify'
import type { LiveDocument, TopicParams } from '../../../src/kernel/index.ts'
import type { HubLive } from '../live.ts'
import type { Publication, Steps } from './gather.ts'
import { isShown, type Source, type Sources } from './sources.ts'

const rememberedDocuments = 50_000

interface Shown {
  source: Source
  channels: readonly string[]
  keys: ReadonlyArray<{ kind: string, key: string }>
  version: number
}

export type Documents = ReturnType<typeof createDocuments>

/** Reads documents and turns them into publications on the channels where they show. */
export function createDocuments (db: FastifyInstance['db'], live: HubLive, sources: Sources) {
  const remembered = new Map<string, Shown[]>()

  function remember (name: string, shown: Shown[]): void {
    remembered.delete(name)
    remembered.set(name, shown)
    if (remembered.size > rememberedDocuments) remembered.delete(remembered.keys().next().value as string)
  }

  /** The steps of one document on its channels; an edge is out before the next step begins. */
  async function publishSteps (source: Source, channels: readonly string[], steps: readonly Publication[]) {
    const later: Array<Promise<unknown>> = []
    for (const { document, isEdge } of steps) {
      const { version } = document
      const sent = source.binding.present(document).flatMap(({ kind, key, data }) => channels.map(async (id) =>
        await live.publishDocument(source.topic, paramsOf(source, id), { kind, key, data, version }, isEdge)))
      // Whoever asks `settled` hears of a refusal; until then it is no error that nobody caught.
      for (const one of sent) one.catch(() => undefined)
      if (isEdge) await Promise.all(sent)
      else later.push(...sent)
    }
    return later
  }

  async function publishSource (source: Source, steps: Steps) {
    const shown = [...steps].flatMap(([id, list]) => {
      const kept = list.filter(({ document }) => isShown(source.binding.match, document))
      return kept.length === 0 ? [] : [{ id, steps: kept, document: (kept.at(-1) as Publication).document }]
    })
    if (shown.length === 0) return []
    const channels = await source.binding.params(shown.map(({ document }) => document))
    const sent = await Promise.all(shown.map(async ({ steps: own }, index) =>
      await publishSteps(source, channels[index] ?? [], own)))
    for (const [index, { id, document }] of shown.entries()) {
      const name = `${source.binding.collection} ${id}`
      const others = (remembered.get(name) ?? []).filter((one) => one.source !== source)
      const keys = source.binding.present(document).map(({ kind, key }) => ({ kind, key }))
      remember(name, [...others, { source, channels: channels[index] ?? [], keys, version: document.version }])
    }
    return sent.flat()
  }

  return {
    async read (collection: string, ids: readonly string[]): Promise<LiveDocument[]> {
      if (ids.length === 0) return []
      return await db.collection<LiveDocument>(collection).find({ _id: { $in: [...ids] } }).toArray() as LiveDocument[]
    },

    /** Resolves when every edge is out; `settled` when what the rate held is out too. */
    async publish (collection: string, steps: Steps): Promise<{ settled: Promise<unknown> }> {
      const later = await Promise.all((sources.byCollection.get(collection) ?? []).map(async (source) =>
        await publishSource(source, steps)))
      const settled = Promise.all(later.flat())
      settled.catch(() => undefined)
      return { settled }
    },

    /** Tombstones where the document showed, as far as this process has published it. */
    async publishDeleted (collection: string, id: string): Promise<void> {
      const shown = remembered.get(`${collection} ${id}`) ?? []
      remembered.delete(`${collection} ${id}`)
      await Promise.all(shown.flatMap(({ source, channels, keys, version }) => channels.flatMap((channel) =>
        keys.map(async ({ kind, key }) => await live.publishDocument(source.topic, paramsOf(source, channel),
          { kind, key, data: null, version: version + 1, isDeleted: true }, true)))))
    }
  }
}

function paramsOf ({ topic }: Source, id: string): TopicParams {
  return { [topic.param]: id }
}
