import type { FastifyBaseLogger } from 'fastify'
import type { TopicDefinition } from '../../src/kernel/index.ts'
import type { History, Meta } from './history.ts'
import type { Item, parseWire } from './publication.ts'

type Wire = ReturnType<typeof parseWire>

/** What repair reads and moves of a heard channel. */
export interface Heard {
  readonly name: string
  readonly topic: TopicDefinition
  epoch: string
  last: number
  lastMid: string | null
  held: Wire[]
  isHolding: boolean
  isClosed: boolean
}

interface RepairOptions<C extends Heard> {
  history: History
  take: (channel: C, item: Item) => void
  discontinue: (channel: C, from: { epoch: string, top: number, mid: string | null }) => void
  accept: (channel: C, wire: Wire) => void
  log: FastifyBaseLogger
  count: (name: 'repairs' | 'epochs', topic: string) => void
}

interface Standing { epoch: string, last: number, mid: string | null }

const retryMs = 1000
const holeLimit = 1000

/** Finds and fills what Pub/Sub lost, and ends the epoch where Redis itself lost writes (`realtime.md` 4.3). */
export function createRepair<C extends Heard> ({ history, take, discontinue, accept, log, count }: RepairOptions<C>) {
  const working = new Map<C, Promise<void>>()

  /** Goes on with what was heard meanwhile, in order. */
  function release (channel: C): void {
    channel.isHolding = false
    const held = channel.held.sort((a, b) => a.epoch === b.epoch ? a.o - b.o : 0)
    channel.held = []
    for (const wire of held) {
      if (channel.isHolding) channel.held.push(wire)
      else if (wire.epoch !== channel.epoch || wire.o > channel.last) accept(channel, wire)
    }
  }

  async function work (channel: C): Promise<void> {
    const before = { epoch: channel.epoch, last: channel.last, mid: channel.lastMid }
    channel.isHolding = true
    try {
      const meta = await history.meta(channel.topic, channel.name)
      if (meta.epoch !== before.epoch) discontinue(channel, meta)
      else if (isLost(channel.topic, before, meta)) await history.renew(channel.topic, channel.name, before.epoch)
      else if (meta.top > before.last) await fill(channel, before, meta)
      release(channel)
    } catch (error) {
      log.debug({ err: error, channel: channel.name }, 'channel not repaired yet')
      setTimeout(() => { if (!channel.isClosed) void verify(channel) }, retryMs).unref()
    }
  }

  async function fill (channel: C, before: Standing, meta: Meta): Promise<void> {
    count('repairs', channel.topic.name)
    const { topic, name } = channel
    if (!await isProved(channel, before)) {
      const isForeign = topic.class !== 'durable' && meta.top - before.last < holeLimit
      if (isForeign) await history.renew(topic, name, before.epoch)
      discontinue(channel, isForeign ? await history.meta(topic, name) : meta)
      return
    }
    const missing = topic.class === 'state'
      ? await history.state(name, before.last)
      : await history.items(topic, name, before.last + 1, holeLimit)
    for (const item of missing) {
      if (topic.class !== 'state' && item.o !== channel.last + 1) break
      take(channel, item)
    }
    if (channel.last < meta.top) discontinue(channel, meta)
  }

  async function isProved (channel: C, { last, mid }: { last: number, mid: string | null }): Promise<boolean> {
    if (channel.topic.class === 'durable' || last === 0) return true
    return mid !== null && await history.proves(channel.topic, channel.name, last, mid)
  }

  async function verify (channel: C): Promise<void> {
    const current = working.get(channel)
    if (current !== undefined) return await current
    const promise = work(channel).finally(() => { working.delete(channel) })
    working.set(channel, promise)
    await promise
  }

  return {
    release,
    verify,
    /** Holds a publication that came too early and fetches what stands before it. */
    fetchHole (channel: C, wire: Wire): void {
      channel.isHolding = true
      channel.held.push(wire)
      void verify(channel)
    }
  }
}

/** Numbers that went back, or another publication under our number: Redis lost writes. */
function isLost (topic: TopicDefinition, before: { last: number, mid: string | null }, meta: Meta): boolean {
  if (topic.class === 'durable') return false
  return meta.top < before.last || (meta.top === before.last && before.last > 0 && meta.mid !== before.mid)
}
