import {
  LiveError, channelOf, uuidv7,
  type Clock, type PublishInput, type Published, type ReplayItem, type ScriptRunner, type TopicDefinition,
  type TopicParams
} from '../../src/kernel/index.ts'
import { ask, type History } from './history.ts'
import { keysOf, newEpoch } from './keys.ts'
import { payloadOf } from './publication.ts'
import { appendDurable, appendEvent, appendState } from './scripts.ts'

interface PublisherOptions {
  scripts: ScriptRunner
  history: History
  clock: () => Clock
  durableEpoch: () => Promise<string>
}

export type Publisher = ReturnType<typeof createPublisher>

/** Appends to Redis and tells every process, in one script per class (`realtime.md` 4.1). */
export function createPublisher ({ scripts, history, clock, durableEpoch }: PublisherOptions) {
  async function event (topic: TopicDefinition, channel: string, input: PublishInput): Promise<Published> {
    const { history: list, meta, seen, wire } = keysOf(channel)
    const mid = input.mid ?? uuidv7()
    const { count, ttlMs } = topic.history ?? { count: 300, ttlMs: 3_600_000 }
    const payload = payloadOf({ ...input, mid }, clock().ms())
    return published(await ask(async () =>
      await scripts.run(appendEvent, [list, meta, seen(mid), wire], [mid, payload, newEpoch(), count, ttlMs])))
  }

  async function state (topic: TopicDefinition, channel: string, input: PublishInput): Promise<Published> {
    if (input.key === undefined) throw LiveError.bad_publication({}, { detail: `${topic.name} needs a key.` })
    const { history: list, meta, state: map, expiries, wire } = keysOf(channel)
    const mid = input.mid ?? uuidv7()
    const now = clock().ms()
    return published(await ask(async () => await scripts.run(appendState, [list, meta, map, expiries, wire], [
      mid, payloadOf({ ...input, mid }, now), newEpoch(), input.key as string, input.version ?? '',
      input.isDeleted === true ? 'd' : '', now
    ])))
  }

  async function durable (topic: TopicDefinition, channel: string, input: PublishInput): Promise<Published> {
    const { offset, mid } = input
    if (offset === undefined || mid === undefined) {
      throw LiveError.bad_publication({}, { detail: `${topic.name} is durable and needs offset and mid.` })
    }
    const payload = payloadOf({ ...input, mid }, clock().ms())
    const answer = await append(topic, channel, offset, [mid, payload])
    if (answer.outcome !== 2) return { epoch: answer.epoch, offset, isDuplicate: answer.outcome === 1 }
    return await fill(topic, channel, { offset, mid, payload }, answer.top)
  }

  async function append (topic: TopicDefinition, channel: string, first: number, items: string[]) {
    const { history: list, meta, wire } = keysOf(channel)
    const { count, ttlMs } = topic.history ?? { count: 500, ttlMs: 24 * 3_600_000 }
    const epoch = await durableEpoch()
    const answer = await ask(async () =>
      await scripts.run(appendDurable, [list, meta, wire], [epoch, first, count, ttlMs, ...items]))
    const [outcome, , top] = answer as [number, string, number]
    return { outcome, epoch, top }
  }

  /** Somebody before us died between commit and publish: his items come from the domain, in pages. */
  async function fill (
    topic: TopicDefinition, channel: string, own: { offset: number, mid: string, payload: string }, top: number
  ): Promise<Published> {
    let next = top + 1
    while (next < own.offset) {
      const page = (await history.replay(topic, channel, next, Math.min(300, own.offset - next)))
        .filter((item) => item.offset < own.offset)
      if (page.length === 0 || !isContiguous(page, next)) throw LiveError.gap({ channel, from: next })
      await append(topic, channel, next, page.flatMap((item) => [item.mid, payloadOfReplayed(item)]))
      next += page.length
    }
    const { epoch, outcome } = await append(topic, channel, own.offset, [own.mid, own.payload])
    if (outcome === 2) throw LiveError.gap({ channel, from: next })
    return { epoch, offset: own.offset, isDuplicate: outcome === 1 }
  }

  return {
    async append (topic: TopicDefinition, params: TopicParams, input: PublishInput): Promise<Published> {
      if (topic.kinds[input.kind] === undefined) {
        throw LiveError.bad_publication({}, { detail: `${topic.name} has no kind ${input.kind}.` })
      }
      const channel = channelOf(topic, params)
      if (topic.class === 'event') return await event(topic, channel, input)
      return await (topic.class === 'state' ? state : durable)(topic, channel, input)
    }
  }
}

function payloadOfReplayed ({ kind, data, mid, at }: ReplayItem): string {
  return payloadOf({ kind, data, mid }, Date.parse(at))
}

function isContiguous (items: readonly ReplayItem[], from: number): boolean {
  return items.every((item, index) => item.offset === from + index)
}

function published (answer: unknown): Published {
  const [isDuplicate, epoch, offset] = answer as [number, string, number]
  return { epoch, offset, isDuplicate: isDuplicate === 1 }
}
