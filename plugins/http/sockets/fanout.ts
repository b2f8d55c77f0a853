import { frameLimits } from '../../../src/kernel/index.ts'
import type { Item } from '../../pubsub/publication.ts'
import type { Channel } from './channels.ts'
import type { Connection } from './connection.ts'
import type { Subscription } from './subscriptions.ts'

interface Portion { item: Item, at: number, audience: Subscription[] }

const slice = 1000
const newline = Buffer.from('\n')

export type Fanout = ReturnType<typeof createFanout>

/** Publications to sockets: one buffer for all, one write per socket and turn (`realtime.md` 4.7). */
export function createFanout () {
  let dirty: Connection[] = []
  let isScheduled = false
  const slices = new Map<Channel, Portion[]>()

  function flush (): void {
    isScheduled = false
    const connections = dirty
    dirty = []
    const joined = createJoiner()
    for (const connection of connections) connection.flush(joined)
  }

  function touch (connection: Connection): void {
    dirty.push(connection)
    if (isScheduled) return
    isScheduled = true
    setImmediate(flush)
  }

  /** A large audience in portions, so that the loop breathes; one queue per channel keeps the order. */
  function deliverSliced (channel: Channel): void {
    const queue = slices.get(channel) ?? []
    const [first] = queue
    if (first === undefined) {
      slices.delete(channel)
      return
    }
    const end = Math.min(first.at + slice, first.audience.length)
    for (; first.at < end; first.at++) offer(first.audience[first.at] as Subscription, first.item)
    if (first.at >= first.audience.length) queue.shift()
    setImmediate(deliverSliced, channel)
  }

  return {
    touch,
    deliver (channel: Channel, item: Item): void {
      const queue = slices.get(channel)
      // A copy: somebody who leaves meanwhile moves another one to his place.
      const portion = () => ({ item, at: 0, audience: [...channel.subscribers] })
      if (queue !== undefined) queue.push(portion())
      else if (channel.subscribers.length > slice) {
        slices.set(channel, [portion()])
        deliverSliced(channel)
      } else {
        for (const one of channel.subscribers) offer(one, item)
      }
    }
  }
}

function offer (subscription: Subscription, item: Item): void {
  if (item.o > subscription.from && !subscription.isOver) subscription.connection.publish(subscription, item)
}

export type Join = (frames: readonly Buffer[]) => Buffer[]

/** Joins what waits for a socket into few messages, made once for all sockets that have the same waiting. */
function createJoiner (): Join {
  let lastFrames: readonly Buffer[] = []
  let lastJoined: Buffer[] = []
  return (frames) => {
    if (isSame(frames, lastFrames)) return lastJoined
    lastFrames = frames
    lastJoined = join(frames)
    return lastJoined
  }
}

function isSame (a: readonly Buffer[], b: readonly Buffer[]): boolean {
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}

function join (frames: readonly Buffer[]): Buffer[] {
  const messages: Buffer[] = []
  let parts: Buffer[] = []
  let bytes = 0
  for (const frame of frames) {
    if (parts.length > 0 && (parts.length === frameLimits.cmds * 2 || bytes + frame.length >= frameLimits.frame)) {
      messages.push(Buffer.concat(parts.slice(0, -1)))
      parts = []
      bytes = 0
    }
    parts.push(frame, newline)
    bytes += frame.length + 1
  }
  if (parts.length > 0) messages.push(Buffer.concat(parts.slice(0, -1)))
  return messages
}
