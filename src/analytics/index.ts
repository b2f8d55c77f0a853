export { createAnalyticsAccess, permissions } from './access.ts'
export { createAlertRepository } from './repository/alerts.ts'
export { createAlertEvaluator } from './alerts.ts'
export { AnalyticsError } from './errors.ts'
export { alertFired, alertResolved, announceFired, announceResolved } from './events.ts'
export { createFold } from './fold.ts'
export { collections } from './indexes.ts'
export { partitionCount } from './keys.ts'
export { createQueries } from './query.ts'
export { createAnalyticsRepository } from './repository.ts'
export { retentions } from './retention.ts'
export {
  AlertPageSchema, AlertSchema, EventNamesSchema, IncomingEventsSchema, IngestResultSchema, LiveMetricsSchema,
  NewAlertSchema, QuerySchema, TableSchema, schemas
} from './schemas.ts'
export { createAnalyticsService, keptKind, type AnalyticsService } from './service.ts'
export { AnalyticsAlerts, AnalyticsLive } from './topics.ts'
