import { defineReport, type ReportDefinition } from '../kernel/index.ts'
import type { ReportRepository } from './repository/reports.ts'

/** What the posts of a day brought each account of a workspace. */
export function createDailyReport (reports: ReportRepository): ReportDefinition {
  return defineReport({
    name: 'social.engagement',
    title: 'Posts and reactions by account',
    period: 'day',
    columns: [
      { key: 'account', title: 'Account' },
      { key: 'posts', title: 'Posts' },
      { key: 'favourites', title: 'Favourites' },
      { key: 'reblogs', title: 'Reblogs' },
      { key: 'replies', title: 'Replies' }
    ],
    rows: ({ workspaceId, from, to }) => reports.engagementByAccount({ workspaceId, from, to })
  })
}
