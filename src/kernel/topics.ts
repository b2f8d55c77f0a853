import type { Static, TSchema } from 'typebox'
import type { Actor } from './actor.ts'
import type { Position } from './schemas.ts'

export type TopicClass = 'event' | 'state' | 'durable'
export type TopicSource = 'outbox' | 'document' | 'lossy'

export interface TopicOptions {
  class: TopicClass
  source: TopicSource
  kinds: Record<string, TSchema>
  /** State: publications per key and second; edge fields pass at once and are never conflated away. */
  rate?: { perKeyPerSec: number, edges?: readonly string[] }
  history?: { count: number, ttlMs: number }
  priority?: 'high' | 'normal' | 'low'
  /** Lossy state: without a publication for so long the key is published as `{ stale: true }`. */
  leaseMs?: number
  /** Subscribed by the server at connect, never asked for: with which of the actor's ids. */
  auto?: 'user' | 'workspace'
}

export interface TopicDefinition<P extends string = string> extends TopicOptions {
  /** `social.downloads` */
  name: string
  /** `accountId` */
  param: P
}

type ParamOf<S extends string> = S extends `${string}:{${infer P}}` ? P : never

/** A topic as data: `defineTopic('social.downloads:{accountId}', { class: 'state', ... })`. */
export function defineTopic<const S extends string> (pattern: S, options: TopicOptions): TopicDefinition<ParamOf<S>> {
  const [, name, param] = /^([a-z]+\.[a-z-]+):\{([A-Za-z]+)\}$/.exec(pattern) ?? []
  if (name === undefined || param === undefined) throw new Error(`not a topic: ${pattern}`)
  return { ...options, name, param: param as ParamOf<S> }
}

export type TopicParams<P extends string = string> = Record<P, string>

/** The channel of a topic for its parameter: `social.downloads:a42`. */
export function channelOf<P extends string> (topic: TopicDefinition<P>, params: TopicParams<P>): string {
  return `${topic.name}:${params[topic.param]}`
}

export interface PublishInput {
  kind: string
  data: unknown
  /** State: the key whose whole value this is. */
  key?: string
  /** State: the guard; an older or equal one is refused. */
  version?: number
  /** State: the key is gone. */
  isDeleted?: boolean
  /** Id of the publication; the event's id where it came from one. Makes a repeat harmless. */
  mid?: string
  /** Durable: the gap-free number of the item. */
  offset?: number
  by?: string
}

export interface Published { epoch: string, offset: number, isDuplicate: boolean }

/** How the listener turns a document into publications (`social.md` 4.12). */
export interface DocumentBinding {
  collection: string
  /** Filter over the documents that are shown; plain equality and `$in`. */
  match?: Record<string, unknown>
  /** Channels of each document (a document may show on several), by topic parameter. */
  params: (documents: readonly LiveDocument[]) => Promise<ReadonlyArray<readonly string[]>>
  /** Publications of one document: whole values. */
  present: (document: LiveDocument) => ReadonlyArray<{ kind: string, key: string, data: unknown }>
  /** Filter over documents that are not final, walked after a gap of the stream. */
  unfinished?: Record<string, unknown>
}

export type LiveDocument = Record<string, unknown> & { _id: string, version: number }

export interface ReplayItem { offset: number, kind: string, data: unknown, mid: string, at: string }

export interface DurableBinding {
  /** Items in ascending order from offset `from` on, at most `limit`. */
  replay: (params: TopicParams, from: number, limit: number) => Promise<ReplayItem[]>
}

/** Publishing and reading of live topics; in every process. */
export interface Live {
  publish<P extends string> (
    topic: TopicDefinition<P>, params: TopicParams<P>, input: PublishInput): Promise<Published>
  /** What publishing and repair need of a topic; in every process. One that nobody binds fails boot of the server. */
  bind (topic: TopicDefinition, binding: DocumentBinding | DurableBinding | { outbox: true } | { lossy: true }): void
  /** Who may join; only in the server. */
  topic<P extends string> (topic: TopicDefinition<P>, rules: TopicRules<P>): void
  position<P extends string> (topic: TopicDefinition<P>, params: TopicParams<P>): Promise<Position>
  /** Reads the position, then the data: what a list carries so that a subscription goes on from it without a gap. */
  withPosition<P extends string, T extends object> (
    topic: TopicDefinition<P>, params: TopicParams<P>, query: () => Promise<T>): Promise<T & { position: Position }>
}

export interface TopicRules<P extends string> {
  /** The domain's own access function; throws what REST would answer. */
  join: (actor: Actor, params: TopicParams<P>) => Promise<unknown>
}

/** Messages between the processes of one installation; lost when nobody listens. */
export interface Bus {
  send (kind: string, data: Record<string, unknown>): void
  on (kind: string, listener: (data: Record<string, unknown>) => void): () => void
}

export type KindData<T extends TSchema> = Static<T>
