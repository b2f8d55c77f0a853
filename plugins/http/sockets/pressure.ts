import type { Item } from '../../pubsub/publication.ts'
import type { Subscription } from './subscriptions.ts'

export const pressure = {
  conflateBytes: 65_536,
  lagBytes: 262_144,
  easeBytes: 32_768,
  queueBytes: 1_048_576,
  lagMs: 30_000
} as const

/** What a slow socket still has to get: values by key, and where each channel was left (`realtime.md` 4.4). */
export interface Backlog {
  conflated: Map<Subscription, Map<string, Item>>
  left: Map<Subscription, number>
  /** Monotonic time since which events are left out; 0 = they are not. */
  laggingSince: number
}

export function createBacklog (): Backlog {
  return { conflated: new Map(), left: new Map(), laggingSince: 0 }
}

export function isEmpty ({ conflated, left }: Backlog): boolean {
  return conflated.size === 0 && left.size === 0
}

/** Whether the item was set aside, since the socket has so much before it. */
export function setAside (
  backlog: Backlog, subscription: Subscription, item: Item,
  { pendingBytes, nowMs }: { pendingBytes: number, nowMs: number }
): boolean {
  return subscription.channel.topic.class === 'state'
    ? conflate(backlog, subscription, item, pendingBytes)
    : leave(backlog, subscription, { pendingBytes, nowMs })
}

function conflate ({ conflated }: Backlog, subscription: Subscription, item: Item, pendingBytes: number): boolean {
  const held = conflated.get(subscription)
  if (held === undefined && pendingBytes < pressure.conflateBytes) return false
  const byKey = held ?? new Map<string, Item>()
  // A key that changes again moves to the end: numbers of the channel only rise.
  byKey.delete(item.key ?? '')
  byKey.set(item.key ?? '', item)
  conflated.set(subscription, byKey)
  return true
}

function leave (
  backlog: Backlog, subscription: Subscription, { pendingBytes, nowMs }: { pendingBytes: number, nowMs: number }
): boolean {
  if (backlog.left.has(subscription)) return true
  if (pendingBytes < pressure.lagBytes || subscription.channel.topic.priority === 'high') return false
  backlog.left.set(subscription, subscription.from)
  if (backlog.laggingSince === 0) backlog.laggingSince = nowMs
  return true
}
