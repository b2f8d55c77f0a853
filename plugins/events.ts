import fp from 'fastify-plugin'
import { createEventBus, createEventRepository, createRunRepository, subscriberQueue } from '../src/jobs/index.ts'
import type { EventBus, SubscriberDefinition } from '../src/kernel/index.ts'

declare module 'fastify' {
  interface FastifyInstance { events: EventBus }
}

export default fp<{ offline?: boolean }>(async function events (app) {
  let byEvent: Map<string, SubscriberDefinition[]> | undefined
  let known = 0

  /** Declarations grow until the app is ready. */
  function subscribersOf (event: string): readonly SubscriberDefinition[] {
    const { subscribers } = app.registry
    if (byEvent === undefined || known !== subscribers.size) {
      byEvent = Map.groupBy(subscribers.values(), (one) => one.event.name)
      known = subscribers.size
    }
    return byEvent.get(event) ?? []
  }

  app.decorate('events', createEventBus({
    events: createEventRepository(app.db),
    runs: createRunRepository(app.db),
    clock: app.clock,
    subscribersOf,
    onEmitted: ({ workspaceId }) => { app.wakeQueue(subscriberQueue, workspaceId) }
  }))
}, { name: 'events', dependencies: ['mongo', 'queue'] })
