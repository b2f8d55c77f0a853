import {
  LiveError, unsubCodes,
  type PositionClaim, type Subscribed, type TopicDefinition
} from '../../../src/kernel/index.ts'
import type { Channels } from './channels.ts'
import type { Connection } from './connection.ts'
import { answerOf, type Prepared, type Recovery, type Subscription } from './subscriptions.ts'

export interface Wish {
  topic: TopicDefinition
  channel: string
  claim?: PositionClaim | undefined
  last?: number | undefined
  isServerSide?: boolean
}

interface SubscriptionsOptions {
  channels: Channels
  recovery: Recovery
  onChange: (topic: string, by: 1 | -1) => void
}

export interface Ready { wish: Wish, prepared: Prepared }

export type Subscriptions = ReturnType<typeof createSubscriptions>

/** Begins and ends subscriptions; between the last look and the frames on the socket nothing is awaited. */
export function createSubscriptions ({ channels, recovery, onChange }: SubscriptionsOptions) {
  function remove (subscription: Subscription): void {
    const { channel, connection } = subscription
    if (subscription.isOver) return
    subscription.isOver = true
    const last = channel.subscribers.pop()
    if (last !== undefined && last !== subscription) {
      channel.subscribers[subscription.index] = last
      last.index = subscription.index
    }
    connection.subscriptions.delete(channel.name)
    connection.forget(subscription)
    channels.release(channel)
    onChange(channel.topic.name, -1)
  }

  function add (connection: Connection, { wish, prepared }: Ready): Subscription {
    const { channel } = prepared
    const subscription: Subscription = {
      channel,
      connection,
      sid: connection.nextSid++,
      isServerSide: wish.isServerSide === true,
      from: prepared.upTo,
      isOver: false,
      index: channel.subscribers.length,
      drop (code, reason) {
        remove(subscription)
        connection.send({ t: 'unsub', ch: channel.name, sid: subscription.sid, code, reason })
      }
    }
    channel.subscribers.push(subscription)
    connection.subscriptions.set(channel.name, subscription)
    onChange(channel.topic.name, 1)
    return subscription
  }

  return {
    remove,

    /** The position is known and what was missed is read. Holds a use of the channel until `commit` or `cancel`. */
    async prepare (wish: Wish): Promise<Ready> {
      const channel = await channels.acquire(wish.topic, wish.channel)
      try {
        return { wish, prepared: await recovery.prepare(channel, wish.claim, wish.last) }
      } catch (error) {
        channels.release(channel)
        throw error
      }
    },

    cancel ({ prepared }: Ready): void { channels.release(prepared.channel) },

    /** Whether it still holds now; adds what came since. */
    isCurrent: ({ prepared }: Ready): boolean => recovery.topUp(prepared),

    /**
     * Answers, replays and goes live. `reply` gets the answers and sends them; several wishes share one reply.
     * Throws `live.already_subscribed` where a second one was faster.
     */
    commit (connection: Connection, ready: readonly Ready[], reply: (answers: Map<string, Subscribed>) => void): void {
      if (connection.isClosing) {
        for (const one of ready) channels.release(one.prepared.channel)
        return
      }
      const begun = ready.map((one) => ({ ...one, subscription: add(connection, one) }))
      reply(new Map(begun.map(({ prepared, subscription }) =>
        [prepared.channel.name, answerOf(prepared, subscription)])))
      for (const { prepared } of begun) for (const item of prepared.items) connection.enqueue(item.frame)
      for (const { prepared: { channel, upTo }, subscription } of begun) {
        connection.send({ t: 'live', ch: channel.name, sid: subscription.sid, o: upTo })
      }
    },

    /** Ends a subscription because the client asked. */
    leave (connection: Connection, name: string): void {
      const subscription = connection.subscriptions.get(name)
      if (subscription === undefined) throw LiveError.unknown_channel()
      remove(subscription)
    },

    revoke (subscription: Subscription): void { subscription.drop(unsubCodes.permissionRevoked, 'permission revoked') }
  }
}
