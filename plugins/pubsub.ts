import fp from 'fastify-plugin'
import { LiveError, type Bus, type DurableBinding } from '../src/kernel/index.ts'
import { createHubMetaRepository, markCollections } from '../src/system/index.ts'
import { createBus } from './pubsub/bus.ts'
import { createHistory } from './pubsub/history.ts'
import { busKey, keysOf } from './pubsub/keys.ts'
import { createLink } from './pubsub/link.ts'
import { startListener } from './pubsub/listener.ts'
import { createLive, type Binding, type HubLive } from './pubsub/live.ts'
import { offlineBus, offlineLink } from './pubsub/offline.ts'
import { startProbe } from './pubsub/probe.ts'
import { createPublisher } from './pubsub/publisher.ts'
import { createShaper } from './pubsub/shaper.ts'

export interface PubsubOptions { url: string, prefix: string, offline?: boolean }

declare module 'fastify' {
  interface FastifyInstance {
    live: HubLive
    bus: Bus
  }
}

export default fp<PubsubOptions>(async function pubsub (app, { offline = false }) {
  app.declare({ domain: 'live', errors: LiveError, collections: markCollections })
  const { redis, redisKey, scripts } = app
  const link = offline ? offlineLink : createLink(redis, app.log)
  const durableEpoch = once(async () => `D${await createHubMetaRepository(app.db).durableEpoch()}`)
  const bindings = new Map<string, Binding>()
  const history = createHistory({
    redis,
    redisKey,
    scripts,
    durableEpoch,
    // Without an own one the log answers by subject and version; a topic that needs it binds `replay` to it.
    replayOf: (topic) => (bindings.get(topic.name) as Partial<DurableBinding> | undefined)?.replay
  })
  const shaper = createShaper()
  const live = createLive({
    topics: () => app.registry.topics,
    bindings,
    hub: { history, link, wireKey: (channel) => redisKey(keysOf(channel).wire) },
    publisher: createPublisher({ scripts, history, clock: () => app.clock, durableEpoch }),
    shaper
  })
  app.decorate('live', live)
  app.decorate('bus', offline ? offlineBus : await createBus(redis, link, redisKey(busKey), app.log))
  if (offline) return

  const probe = await startProbe(app, link)
  app.addHook('onReady', () => { startListener(app, live) })
  app.addHook('onClose', async () => {
    probe.stop()
    await shaper.close().catch((error: unknown) => { app.log.warn({ err: error }, 'held publications were lost') })
    link.close()
  })
}, { name: 'pubsub', dependencies: ['errors', 'mongo', 'cache'] })

function once<T> (load: () => Promise<T>): () => Promise<T> {
  let loading: Promise<T> | undefined
  return async () => {
    loading ??= load().catch((error: unknown) => {
      loading = undefined
      throw error
    })
    return await loading
  }
}
