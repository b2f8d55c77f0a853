import {
  channelOf,
  type DocumentBinding, type DurableBinding, type Live, type PublishInput, type Published, type TopicDefinition,
  type TopicParams, type TopicRules
} from '../../src/kernel/index.ts'
import type { History } from './history.ts'
import type { Link } from './link.ts'
import type { Publisher } from './publisher.ts'
import type { createShaper } from './shaper.ts'

export type Binding = DocumentBinding | DurableBinding | { outbox: true } | { lossy: true }

/** What the hub of a server needs beside publishing. */
export interface HubFloor {
  bindings: ReadonlyMap<string, Binding>
  rules: ReadonlyMap<string, TopicRules<string>>
  history: History
  link: Link
  wireKey: (channel: string) => string
}

/** `Live` with what only the plugins below `plugins/http/sockets` and the listener use. */
export interface HubLive extends Live {
  hub: HubFloor
  /** A publication of the listener, which knows from the stream whether it is an edge. */
  publishDocument (
    topic: TopicDefinition, params: TopicParams, input: PublishInput, isEdge: boolean): Promise<Published>
}

interface LiveOptions {
  topics: () => ReadonlyMap<string, TopicDefinition>
  bindings: Map<string, Binding>
  hub: Omit<HubFloor, 'bindings' | 'rules'>
  publisher: Publisher
  shaper: ReturnType<typeof createShaper>
}

export function createLive ({ topics, bindings, hub, publisher, shaper }: LiveOptions): HubLive {
  const rules = new Map<string, TopicRules<string>>()

  async function shaped (topic: TopicDefinition, params: TopicParams, input: PublishInput, isEdge?: boolean) {
    return await shaper.publish(topic, channelOf(topic, params), input,
      async (held) => await publisher.append(topic, params, held), isEdge)
  }

  const live: HubLive = {
    hub: { ...hub, bindings, rules },
    async publish (topic, params, input) {
      return topic.source === 'lossy'
        ? await shaped(topic, params, input)
        : await publisher.append(topic, params, input)
    },
    publishDocument: async (topic, params, input, isEdge) => await shaped(topic, params, input, isEdge),
    bind (topic, binding) {
      if (topics().get(topic.name) !== topic) throw new Error(`topic ${topic.name} is bound but not declared`)
      if (bindings.has(topic.name)) throw new Error(`topic ${topic.name} is bound twice`)
      bindings.set(topic.name, binding)
    },
    topic (topic, rule) {
      if (rules.has(topic.name)) throw new Error(`topic ${topic.name} has two rules of joining`)
      rules.set(topic.name, rule as unknown as TopicRules<string>)
    },
    async position (topic, params) {
      const channel = channelOf(topic, params)
      const { epoch, top, mid } = await hub.history.meta(topic, channel)
      return { channel, epoch, offset: top, mid }
    },
    async withPosition (topic, params, query) {
      const position = await live.position(topic, params)
      return { ...await query(), position }
    }
  }
  return live
}

/** Why the declared topics cannot be served, one sentence each. */
export function problemsOf (topics: ReadonlyMap<string, TopicDefinition>, { bindings, rules }: HubFloor): string[] {
  return [...topics.values()].flatMap((topic) => [
    ...(bindings.has(topic.name) ? [] : [`topic ${topic.name} is declared but nobody binds it`]),
    ...(rules.has(topic.name) || topic.auto !== undefined ? [] : [`topic ${topic.name} does not say who may join`])
  ])
}
