import { defineRetention } from '../kernel/index.ts'

/** Raw events are counted away, not by TTL: their deletes must be known (`analytics.md` 4.10). */
export const retentions = [
  defineRetention({ name: 'analytics.raw-events', collection: 'analytics.events', age: { field: 't', days: 400 } })
]
