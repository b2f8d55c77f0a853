import fp from 'fastify-plugin'
import {
  AnalyticsAlerts, AnalyticsError, AnalyticsLive, alertFired, alertResolved, announceFired, announceResolved,
  collections, createAlertEvaluator, createAlertRepository, createAnalyticsAccess, createAnalyticsRepository,
  createAnalyticsService, createFold, createQueries, keptKind, permissions, retentions, schemas, type AnalyticsService
} from '../../src/analytics/index.ts'
import {
  defineSubscriber, leaveNote, type AnalyticsMapping, type SubscriberDefinition
} from '../../src/kernel/index.ts'

export interface AnalyticsLoops {
  fold: ReturnType<typeof createFold>
  evaluator: ReturnType<typeof createAlertEvaluator>
  /** One subscriber per event that a domain maps. */
  recorders: ReadonlyArray<{ subscriber: SubscriberDefinition, mapping: AnalyticsMapping }>
}

declare module 'fastify' {
  interface FastifyInstance {
    analyticsDomain: AnalyticsService
    analyticsLoops: AnalyticsLoops
  }
}

/** Counts are looked at in charts: a quarter of a second is not seen there and saves most of the work. */
const together = { forMs: 250, most: 25 }

const note = Symbol('something was kept')

export default fp(async function analyticsDomain (app) {
  const recorders = app.registry.analytics.map((mapping) => {
    const event = app.registry.events.get(mapping.event)
    if (event === undefined) throw new Error(`a mapping names the event ${mapping.event}, which nobody declares`)
    const name = `analytics.record-${mapping.event.replaceAll('.', '-')}`
    return { subscriber: defineSubscriber({ name, event, together }), mapping }
  })
  app.declare({
    domain: 'analytics',
    errors: AnalyticsError,
    events: [alertFired, alertResolved],
    subscribers: [announceFired, announceResolved, ...recorders.map(({ subscriber }) => subscriber)],
    topics: [AnalyticsLive, AnalyticsAlerts],
    permissions,
    collections,
    retentions,
    schemas
  })
  app.live.bind(AnalyticsLive, { lossy: true })
  app.live.bind(AnalyticsAlerts, { outbox: true })
  const { db, tx, clock, live, events, bus } = app
  const analytics = createAnalyticsRepository(db)
  const alerts = createAlertRepository(db)
  const queries = createQueries({ analytics, clock })
  const fold = createFold({ analytics, tx, clock, live })
  const access = createAnalyticsAccess(alerts)
  app.decorate('analyticsDomain', createAnalyticsService({
    analytics, alerts, access, queries, fold, live, tx, clock, onKept: () => { leaveNote(note, true) }
  }))
  tx.join({ name: 'analytics', afterCommit (notes) { if (notes.has(note)) bus.send(keptKind, {}) } })
  app.decorate('analyticsLoops', {
    fold, evaluator: createAlertEvaluator({ alerts, analytics, queries, events, tx, clock }), recorders
  })
}, { name: 'analytics-domain', dependencies: ['mongo', 'pubsub', 'queue', 'events', 'errors'] })
