import type { Static } from 'typebox'
import type { AnalyticsMapping } from '../kernel/index.ts'
import { postsSynced } from './events.ts'

/** One analytics event per item of a synced page. */
export const analytics: readonly AnalyticsMapping[] = [{
  event: postsSynced.name,
  map: ({ items, isBackfill, accountId }: Static<typeof postsSynced.data>) => items.map(({ change }) => ({
    name: `social.post.${change}`, props: { isBackfill, accountId }
  }))
}]
