import type { FastifyBaseLogger } from 'fastify'
import { unsubCodes, type TopicDefinition } from '../../../src/kernel/index.ts'
import { ask } from '../../pubsub/history.ts'
import type { HubFloor } from '../../pubsub/live.ts'
import { itemOf, parseWire, type Item } from '../../pubsub/publication.ts'
import { createRepair } from '../../pubsub/repair.ts'
import { createRing, type Ring } from './ring.ts'
import type { Subscription } from './subscriptions.ts'
import type { Wheel } from './wheel.ts'

export type Wire = ReturnType<typeof parseWire>

/** A channel as this process hears it. */
export interface Channel {
  readonly name: string
  readonly topic: TopicDefinition
  epoch: string
  /** The highest number that was delivered, and its mid. */
  last: number
  lastMid: string | null
  readonly ring: Ring
  readonly subscribers: Subscription[]
  /** Rises whenever continuity broke: what was read before belongs to another story. */
  generation: number
  readonly pastEpochs: Set<string>
  /** Heard while the position is read or a hole is fetched. */
  held: Wire[]
  isHolding: boolean
  isClosed: boolean
  users: number
  opened: Promise<void>
}

interface Standing { epoch: string, top: number, mid: string | null }

const idleMs = 30_000

export type Channels = ReturnType<typeof createChannels>

interface ChannelsOptions {
  hub: HubFloor
  wheel: Wheel
  log: FastifyBaseLogger
  deliver: (channel: Channel, item: Item) => void
  count: (name: 'repairs' | 'epochs' | 'publications', topic: string) => void
}

export function createChannels ({ hub, wheel, log, deliver, count }: ChannelsOptions) {
  const channels = new Map<string, Channel>()

  function take (channel: Channel, item: Item): void {
    channel.last = item.o
    channel.lastMid = item.mid
    channel.ring.push(item)
    count('publications', channel.topic.name)
    deliver(channel, item)
  }

  /** Everybody subscribes again with his position; from here on the channel tells its story from `top`. */
  function discontinue (channel: Channel, { epoch, top, mid }: Standing): void {
    if (epoch !== channel.epoch) {
      channel.pastEpochs.add(channel.epoch)
      count('epochs', channel.topic.name)
    }
    Object.assign(channel, { epoch, last: top, lastMid: mid, generation: channel.generation + 1 })
    channel.ring.reset(top)
    for (const one of [...channel.subscribers]) one.drop(unsubCodes.insufficientState, 'insufficient state')
  }

  const repair = createRepair({ history: hub.history, take, discontinue, accept, log, count })

  function hear (channel: Channel, message: Buffer): void {
    const wire = parseWire(message)
    if (channel.pastEpochs.has(wire.epoch)) return
    if (channel.isHolding) channel.held.push(wire)
    else accept(channel, wire)
  }

  function accept (channel: Channel, { o, epoch, flags, payload }: Wire): void {
    if (channel.pastEpochs.has(epoch)) return
    if (epoch !== channel.epoch) discontinue(channel, { epoch, top: flags === 'e' ? o : o - 1, mid: null })
    if (flags === 'e') return
    if (o === channel.last + 1) take(channel, itemOf(channel.name, o, payload))
    else if (o > channel.last) repair.fetchHole(channel, { o, epoch, flags, payload })
    else if (channel.ring.at(o)?.mid !== itemOf(channel.name, o, payload).mid) void repair.verify(channel)
  }

  async function open (channel: Channel): Promise<void> {
    try {
      const heard = (message: Buffer): void => { hear(channel, message) }
      await ask(async () => { await hub.link.listen(hub.wireKey(channel.name), heard) })
      const { epoch, top, mid } = await hub.history.meta(channel.topic, channel.name)
      Object.assign(channel, { epoch, last: top, lastMid: mid })
      channel.ring.reset(top)
      repair.release(channel)
    } catch (error) {
      forget(channel)
      throw error
    }
  }

  function forget (channel: Channel): void {
    channel.isClosed = true
    channels.delete(channel.name)
    channel.ring.reset(channel.last)
    hub.link.leave(hub.wireKey(channel.name))
  }

  function create (topic: TopicDefinition, name: string): Channel {
    const channel: Channel = {
      name,
      topic,
      epoch: '',
      last: 0,
      lastMid: null,
      ring: createRing(0),
      subscribers: [],
      generation: 0,
      pastEpochs: new Set(),
      held: [],
      isHolding: true,
      isClosed: false,
      users: 0,
      opened: Promise.resolve()
    }
    channels.set(name, channel)
    channel.opened = open(channel)
    channel.opened.catch((error: unknown) => { log.debug({ err: error, channel: name }, 'channel not opened') })
    // A lost last message has no successor that would reveal it.
    wheel.add({ onTime: () => compare(channel) }, 15_000 * (0.5 + Math.random()))
    return channel
  }

  function compare (channel: Channel): number {
    if (channel.isClosed) return 0
    if (!channel.isHolding) void repair.verify(channel)
    return 15_000 * (0.9 + Math.random() / 5)
  }

  hub.link.onRestored(() => {
    for (const channel of channels.values()) if (channel.epoch !== '') void repair.verify(channel)
  })

  return {
    all: channels,
    verify: repair.verify,
    /** The channel, heard and with its position known. Throws `live.broker_unavailable`. */
    async acquire (topic: TopicDefinition, name: string): Promise<Channel> {
      const channel = channels.get(name) ?? create(topic, name)
      channel.users++
      try {
        await channel.opened
        return channel
      } catch (error) {
        channel.users--
        throw error
      }
    },
    /** Kept a while after the last user, since a reconnect asks for it again. */
    release (channel: Channel): void {
      if (--channel.users > 0) return
      wheel.add({
        onTime: () => {
          if (channel.users === 0 && !channel.isClosed) forget(channel)
          return 0
        }
      }, idleMs)
    },
    close (): void {
      for (const channel of [...channels.values()]) forget(channel)
    }
  }
}
