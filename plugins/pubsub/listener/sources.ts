import type { DocumentBinding, LiveDocument, TopicDefinition } from '../../../src/kernel/index.ts'
import type { Binding } from '../live.ts'

export interface Source { topic: TopicDefinition, binding: DocumentBinding }

/** What is watched, by collection. */
export interface Sources {
  byCollection: ReadonlyMap<string, readonly Source[]>
  /** Fields of a collection whose changes are published each. */
  edgesOf (collection: string): readonly string[]
  allEdges: readonly string[]
}

export function sourcesOf (
  topics: ReadonlyMap<string, TopicDefinition>, bindings: ReadonlyMap<string, Binding>
): Sources {
  const sources = [...bindings].flatMap(([name, binding]) => {
    const topic = topics.get(name)
    return topic !== undefined && 'collection' in binding ? [{ topic, binding }] : []
  })
  const byCollection = Map.groupBy(sources, ({ binding }) => binding.collection)
  const edgesOf = (collection: string): string[] =>
    [...new Set((byCollection.get(collection) ?? []).flatMap(({ topic }) => topic.rate?.edges ?? []))]
  return { byCollection, edgesOf, allEdges: [...new Set([...byCollection.keys()].flatMap(edgesOf))] }
}

/** Plain equality and `$in` of a binding's `match`, judged here so that one read serves every topic. */
export function isShown (match: Record<string, unknown> | undefined, document: LiveDocument): boolean {
  return Object.entries(match ?? {}).every(([path, wanted]) => {
    const value = path.split('.')
      .reduce<unknown>((inner, part) => (inner as Record<string, unknown> | null)?.[part], document)
    const list = (wanted as { $in?: unknown[] } | null)?.$in
    return Array.isArray(list) ? list.includes(value ?? null) : (value ?? null) === wanted
  })
}

export interface Change {
  collection: string
  id: string
  isDeleted: boolean
  version: number | undefined
  /** Edge fields that this change set. */
  edges: Record<string, unknown> | undefined
  token: unknown
  seq: number
}

interface StreamEvent {
  _id: unknown
  operationType: string
  ns?: { coll?: string }
  documentKey?: { _id: unknown }
  fullDocument?: Record<string, unknown>
  updateDescription?: { updatedFields?: Record<string, unknown> }
}

/** The stages that keep of each event only what is needed. */
export function pipelineOf (sources: Sources): Array<Record<string, unknown>> {
  const fields = ['version', ...sources.allEdges]
  const kept = fields.flatMap((field) => [`fullDocument.${field}`, `updateDescription.updatedFields.${field}`])
  return [
    { $match: { 'ns.coll': { $in: [...sources.byCollection.keys()] } } },
    {
      $project: Object.fromEntries(
        ['_id', 'operationType', 'ns', 'documentKey', 'clusterTime', 'wallTime', ...kept].map((name) => [name, 1]))
    }
  ]
}

/** An event as a change of a document; `lost` where the collection or the database is gone. */
export function changeOf (event: unknown, sources: Sources, seq: number): Change | 'lost' {
  const { _id: token, operationType, ns, documentKey, fullDocument, updateDescription } = event as StreamEvent
  const collection = ns?.coll ?? ''
  if (documentKey === undefined) return 'lost'
  const set = fullDocument ?? updateDescription?.updatedFields ?? {}
  const told = sources.edgesOf(collection).filter((edge) => edge in set)
  const edges = Object.fromEntries(told.map((edge) => [edge, set[edge]]))
  return {
    collection,
    id: String(documentKey._id),
    isDeleted: operationType === 'delete',
    version: typeof set['version'] === 'number' ? set['version'] : undefined,
    edges: Object.keys(edges).length === 0 ? undefined : edges,
    token,
    seq
  }
}
