import type { FastifyInstance } from 'fastify'
import {
  LiveError, type DurableBinding, type ScriptRunner, type TopicDefinition, type TopicParams
} from '../../src/kernel/index.ts'
import { keysOf, newEpoch } from './keys.ts'
import { itemOf, parseWire, payloadOf, type Item } from './publication.ts'
import { readMeta, renewEpoch, seedDurable } from './scripts.ts'

/** Where a channel stands: its epoch, its highest number and the mid of that. `floor`: state below it is gone. */
export interface Meta { epoch: string, top: number, mid: string | null, floor: number }

export interface HistoryOptions {
  redis: FastifyInstance['redis']
  redisKey: (name: string) => string
  scripts: ScriptRunner
  durableEpoch: () => Promise<string>
  replayOf: (topic: TopicDefinition) => DurableBinding['replay'] | undefined
}

export type History = ReturnType<typeof createHistory>

/**
 * What Redis and the domains know of a channel's past. Everything throws `live.broker_unavailable` where Redis is
 * away.
 */
export function createHistory ({ redis, redisKey, scripts, durableEpoch, replayOf }: HistoryOptions) {
  async function meta (topic: TopicDefinition, channel: string): Promise<Meta> {
    const keys = keysOf(channel)
    if (topic.class === 'durable') await seed(topic, channel)
    const [epoch, top, mid, floor] = await ask(async () =>
      await scripts.run(readMeta, [keys.history, keys.meta], [newEpoch()])) as [string, number, string, number]
    return { epoch, top, mid: mid === '' ? null : mid, floor }
  }

  /** A durable channel that Redis forgot begins at the number that its domain is at. */
  async function seed (topic: TopicDefinition, channel: string): Promise<void> {
    const keys = keysOf(channel)
    const epoch = await durableEpoch()
    if (await ask(async () => await redis.hget(redisKey(keys.meta), 'e')) === epoch) return
    const last = await lastOf(topic, channel)
    await ask(async () =>
      await scripts.run(seedDurable, [keys.history, keys.meta], [epoch, last?.offset ?? 0, last?.mid ?? '']))
  }

  /** The last item by doubling and halving: numbers have no holes. */
  async function lastOf (topic: TopicDefinition, channel: string) {
    const at = async (from: number) => (await replay(topic, channel, from, 1))[0]
    let last = await at(1)
    if (last === undefined) return undefined
    let step = 1
    while (step >= 1) {
      const next = await at(last.offset + step)
      last = next ?? last
      step = next === undefined ? step / 2 : step * 2
    }
    return last
  }

  async function replay (topic: TopicDefinition, channel: string, from: number, limit: number) {
    const read = replayOf(topic)
    if (read === undefined) throw LiveError.internal({}, { detail: `${topic.name} has no replay.` })
    return await read(paramsOf(topic, channel), from, limit)
  }

  /** Items from number `from` on, ascending, as far as they are kept without a hole. */
  async function items (topic: TopicDefinition, channel: string, from: number, limit: number): Promise<Item[]> {
    const rows = await ask(async () =>
      await redis.xrangeBuffer(redisKey(keysOf(channel).history), `${from}-0`, '+', 'COUNT', limit))
    const kept = (rows as Array<[Buffer, Buffer[]]>).map(([id, fields]) =>
      itemOf(channel, Number.parseInt(id.toString('latin1'), 10), fields[1] as Buffer))
    if (topic.class !== 'durable' || kept[0]?.o === from) return kept
    const until = kept[0]?.o ?? Number.POSITIVE_INFINITY
    const replayed = await replay(topic, channel, from, Math.min(limit, until - from))
    const stored = replayed.map((item) => itemOf(channel, item.offset,
      Buffer.from(payloadOf({ kind: item.kind, data: item.data, mid: item.mid }, Date.parse(item.at)))))
    return [...stored, ...kept].slice(0, limit)
  }

  /** Keys whose value is newer than `after`, in the order of their numbers; without deleted ones where `after` is 0. */
  async function state (channel: string, after: number): Promise<Item[]> {
    const all = await ask(async () => await redis.hgetallBuffer(redisKey(keysOf(channel).state)))
    return Object.values(all).flatMap((value) => {
      const { o, flags, payload } = parseWire(value)
      return o <= after || (after === 0 && flags === 'd') ? [] : [itemOf(channel, o, payload)]
    }).sort((a, b) => a.o - b.o)
  }

  /** Whether publication `o` of the channel is the one with this mid. */
  async function proves (topic: TopicDefinition, channel: string, o: number, mid: string): Promise<boolean> {
    const rows = await ask(async () =>
      await redis.xrangeBuffer(redisKey(keysOf(channel).history), `${o}-0`, `${o}-0`)) as Array<[Buffer, Buffer[]]>
    const value = rows[0]?.[1][1]
    if (value === undefined) return false
    return (topic.class === 'state' ? value.toString() : itemOf(channel, o, value).mid) === mid
  }

  /** Ends an epoch whose numbers lie; every process hears it. A durable channel only forgets and fills itself again. */
  async function renew (topic: TopicDefinition, channel: string, epoch: string): Promise<void> {
    const { history, meta, state, expiries, wire } = keysOf(channel)
    if (topic.class === 'durable') {
      await ask(async () => await redis.del(redisKey(history), redisKey(meta)))
      return
    }
    await ask(async () =>
      await scripts.run(renewEpoch, [history, meta, state, expiries, wire], [epoch, newEpoch()]))
  }

  return { meta, items, state, proves, renew, replay }
}

/** The parameters that a channel's name carries. */
export function paramsOf (topic: TopicDefinition, channel: string): TopicParams {
  return { [topic.param]: channel.slice(topic.name.length + 1) }
}

/** Runs one question to Redis. Throws `live.broker_unavailable` for whatever goes wrong with it. */
export async function ask<T> (question: () => Promise<T>): Promise<T> {
  try {
    return await question()
  } catch (cause) {
    throw LiveError.broker_unavailable({}, { cause, retryAfterMs: 1000 })
  }
}
