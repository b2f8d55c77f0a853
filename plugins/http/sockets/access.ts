import { LiveError, isDomainError, type Actor, type TopicDefinition } from '../../../src/kernel/index.ts'
import { paramsOf } from '../../pubsub/history.ts'
import type { HubFloor } from '../../pubsub/live.ts'

const keptMs = 60_000
const capacity = 50_000

export type LiveAccess = ReturnType<typeof createLiveAccess>

/** Who may join what: the topic's own rule, kept a minute per actor and channel under his permission version. */
export function createLiveAccess (
  topics: ReadonlyMap<string, TopicDefinition>, { rules }: Pick<HubFloor, 'rules'>, nowMs: () => number
) {
  const kept = new Map<string, { until: number, pv: number | null }>()

  function topicOf (channel: string): TopicDefinition {
    const topic = topics.get(channel.slice(0, channel.indexOf(':')))
    if (topic === undefined) throw LiveError.unknown_channel()
    return topic
  }

  return {
    topicOf,

    /** Throws what REST would answer; a topic that only the server subscribes to does not exist for a client. */
    async join (actor: Actor, topic: TopicDefinition, channel: string): Promise<void> {
      const id = `${actor.kind} ${actor.id} ${actor.workspaceId} ${channel}`
      const known = kept.get(id)
      if (known !== undefined && known.until > nowMs() && known.pv === actor.pv) return
      const rule = rules.get(topic.name)
      if (rule === undefined) throw LiveError.unknown_channel()
      await rule.join(actor, paramsOf(topic, channel))
      if (kept.size >= capacity) kept.clear()
      kept.set(id, { until: nowMs() + keptMs, pv: actor.pv })
    },

    /** Channels that the server subscribes for this actor. */
    ownChannels (actor: Actor): Array<{ topic: TopicDefinition, channel: string }> {
      return [...topics.values()].flatMap((topic) => {
        const id = topic.auto === 'user' ? actor.userId : topic.auto === 'workspace' ? actor.workspaceId : null
        return id === null || id === '' ? [] : [{ topic, channel: `${topic.name}:${id}` }]
      })
    },

    forget (): void { kept.clear() }
  }
}

/** Whether an error says that the actor may not, rather than that we cannot tell. */
export function isDenial (error: unknown): boolean {
  return isDomainError(error) && ['forbidden', 'not_found', 'unauthenticated'].includes(error.kind)
}
