import { LiveError, type PositionClaim, type Subscribed } from '../../../src/kernel/index.ts'
import type { Item } from '../../pubsub/publication.ts'
import type { History } from '../../pubsub/history.ts'
import type { Channel, Channels } from './channels.ts'
import type { Connection } from './connection.ts'

/** One channel on one connection. */
export interface Subscription {
  readonly channel: Channel
  readonly connection: Connection
  readonly sid: number
  readonly isServerSide: boolean
  /** The highest number that was sent, or that the subscriber has. */
  from: number
  isOver: boolean
  /** Place in the dense list of the channel. */
  index: number
  /** The server ends it with a reason of `realtime.md` 3.6. */
  drop (code: number, reason: string): void
}

/** What a subscription would start with; good as long as the channel's generation stands. */
export interface Prepared {
  channel: Channel
  generation: number
  was: boolean
  rec: boolean
  isFull: boolean
  items: Item[]
  /** The highest number that `items` reaches. */
  upTo: number
}

interface Read { items: Item[], upTo: number }

const limits = { event: 300, state: 1000, durable: 1000 } as const
const attempts = 5

export type Recovery = ReturnType<typeof createRecovery>

/** Reads what a subscriber missed, once for all who miss the same (`realtime.md` 4.2). */
export function createRecovery (history: History, channels: Channels, count: (outcome: string) => void) {
  const reading = new Map<string, Promise<Read>>()

  /** A read that began when the channel stood at its `last` holds everything up to there. */
  async function shared (channel: Channel, id: string, read: () => Promise<Item[]>): Promise<Read> {
    const current = reading.get(`${channel.name} ${id}`)
    if (current !== undefined) return await current
    const { last } = channel
    const promise = read()
      .then((items) => ({ items, upTo: Math.max(last, items.at(-1)?.o ?? 0) }))
      .finally(() => { reading.delete(`${channel.name} ${id}`) })
    reading.set(`${channel.name} ${id}`, promise)
    return await promise
  }

  async function wholeState (channel: Channel, claim?: PositionClaim): Promise<Prepared> {
    const { generation } = channel
    const { items, upTo } = await shared(channel, 'state', async () => await history.state(channel.name, 0))
    const isFirst = claim === undefined
    return { channel, generation, was: !isFirst, rec: isFirst, isFull: true, items: [...items], upTo }
  }

  function nothing (channel: Channel, was: boolean, rec: boolean): Prepared {
    return { channel, generation: channel.generation, was, rec, isFull: false, items: [], upTo: channel.last }
  }

  /** Items above the claimed number with the proof that it is the same story, or null. */
  async function missed (channel: Channel, claim: PositionClaim): Promise<Read | null> {
    const { topic, ring } = channel
    const needsProof = topic.class !== 'durable' && claim.o > 0
    if (channel.last - claim.o > limits[topic.class]) return null
    const fromRing = ring.after(needsProof ? claim.o - 1 : claim.o)
    if (fromRing !== null) return readOf(needsProof ? proved(fromRing, claim) : fromRing, channel.last)
    return topic.class === 'state' ? await missedState(channel, claim) : await missedItems(channel, claim, needsProof)
  }

  async function missedItems (channel: Channel, claim: PositionClaim, needsProof: boolean): Promise<Read | null> {
    const { topic, name } = channel
    const from = needsProof ? claim.o : claim.o + 1
    const read = await shared(channel, `${from}`,
      async () => await history.items(topic, name, from, limits[topic.class] + 1))
    const items = needsProof ? proved(read.items, claim) : read.items
    return items !== null && isContiguous(items, claim.o) ? readOf(items, items.at(-1)?.o ?? claim.o) : null
  }

  async function missedState (channel: Channel, claim: PositionClaim): Promise<Read | null> {
    const { topic, name } = channel
    const { floor } = await history.meta(topic, name)
    if (claim.o < floor) return null
    if (claim.o > 0 && !await history.proves(topic, name, claim.o, claim.m ?? '')) return null
    return await shared(channel, `state ${claim.o}`, async () => await history.state(name, claim.o))
  }

  async function recover (channel: Channel, claim: PositionClaim): Promise<Prepared> {
    const { generation } = channel
    if (claim.e === channel.epoch && claim.o > channel.last) await channels.verify(channel)
    const isKnown = claim.e === channel.epoch && claim.o <= channel.last
    if (isKnown && isTop(channel, claim)) {
      count('none')
      return nothing(channel, true, true)
    }
    const read = isKnown ? await missed(channel, claim) : null
    if (read === null) return await lost(channel, claim)
    count('history')
    return { channel, generation, was: true, rec: true, isFull: false, items: [...read.items], upTo: read.upTo }
  }

  async function lost (channel: Channel, claim: PositionClaim): Promise<Prepared> {
    count('lost')
    if (claim.strict === true) throw LiveError.unrecoverable({ channel: channel.name })
    return channel.topic.class === 'state' ? await wholeState(channel, claim) : nothing(channel, true, false)
  }

  async function prepareOnce (channel: Channel, claim: PositionClaim | undefined, last: number): Promise<Prepared> {
    if (claim !== undefined) return await recover(channel, claim)
    if (channel.topic.class === 'state') return await wholeState(channel)
    if (last === 0) return nothing(channel, false, true)
    const from = Math.max(0, channel.last - last)
    const { generation } = channel
    const items = channel.ring.after(from) ?? await history.items(channel.topic, channel.name, from + 1, last)
    return { channel, generation, was: false, rec: true, isFull: false, items, upTo: items.at(-1)?.o ?? channel.last }
  }

  /**
   * Adds what was published meanwhile; false where that is not at hand any more. Runs without a pause before the
   * commit.
   */
  function topUp (prepared: Prepared): boolean {
    const { channel } = prepared
    if (prepared.generation !== channel.generation || channel.isClosed) return false
    if (prepared.upTo >= channel.last) return true
    const later = channel.ring.after(prepared.upTo)
    if (later === null) return false
    prepared.items.push(...later)
    prepared.upTo = channel.last
    return true
  }

  return {
    topUp,
    /** Throws `live.busy` where the channel outruns us, `live.unrecoverable` for a strict claim that does not hold. */
    async prepare (channel: Channel, claim: PositionClaim | undefined, last = 0): Promise<Prepared> {
      for (let attempt = 0; attempt < attempts; attempt++) {
        const prepared = await prepareOnce(channel, claim, last)
        if (topUp(prepared)) return prepared
      }
      throw LiveError.busy({}, { retryAfterMs: 1000 })
    }
  }
}

/** The answer to `sub`. */
export function answerOf (prepared: Prepared, subscription: Pick<Subscription, 'sid' | 'isServerSide'>): Subscribed {
  const { sid, isServerSide } = subscription
  const { channel, was, rec, isFull, items } = prepared
  return {
    sid,
    ...(isServerSide ? { srv: true } : {}),
    e: channel.epoch,
    o: prepared.upTo,
    // The proof of `o`, for who has seen no publication of his own yet.
    ...midOf(prepared),
    was,
    rec,
    ...(isFull ? { full: true } : {}),
    n: items.length
  }
}

function midOf ({ channel, upTo, items }: Prepared): { m?: string } {
  const mid = upTo === channel.last ? channel.lastMid : items.at(-1)?.mid
  return mid === null || mid === undefined ? {} : { m: mid }
}

function readOf (items: Item[] | null, upTo: number): Read | null {
  return items === null ? null : { items, upTo }
}

function isTop ({ last, lastMid, topic }: Channel, claim: PositionClaim): boolean {
  return claim.o === last && (claim.o === 0 || topic.class === 'durable' || claim.m === lastMid)
}

function proved (items: Item[], claim: PositionClaim): Item[] | null {
  const [first, ...rest] = items
  return first?.o === claim.o && first.mid === claim.m ? rest : null
}

function isContiguous (items: readonly Item[], after: number): boolean {
  return items.every((item, index) => item.o === after + 1 + index)
}
