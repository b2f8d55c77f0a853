import type { Db, Document } from 'mongodb'
import type { AccountRow } from './accounts.ts'
import type { PostRow } from './posts.ts'

export interface ReportRange { workspaceId: string, accountIds: readonly string[], from: Date, to: Date, zone: string }

type Row = Record<string, string | number>

const index = 'published'
const mostRows = 1000
const accountPage = 100
const none = { _id: '', posts: 0, favourites: 0, reblogs: 0, replies: 0 }

const sums = {
  posts: { $sum: 1 },
  favourites: { $sum: { $ifNull: ['$metrics.favourites', 0] } },
  reblogs: { $sum: { $ifNull: ['$metrics.reblogs', 0] } },
  replies: { $sum: { $ifNull: ['$metrics.replies', 0] } }
}

export type ReportRepository = ReturnType<typeof createReportRepository>

/** Reports as pipelines over one index: account and time first, capped in time and rows (`social.md` 4.10). */
export function createReportRepository (db: Db) {
  const posts = db.collection<PostRow>('social.posts')
  const accounts = db.collection<AccountRow>('social.accounts')

  async function run (range: ReportRange, stages: Document[]): Promise<Row[]> {
    return await posts.aggregate<Row>([{ $match: matchOf(range) }, ...stages], {
      hint: index, maxTimeMS: 3000, allowDiskUse: false
    }).toArray()
  }

  return {
    /** A row for each account of the workspace, in the order of their ids; accounts without a post too. */
    async * engagementByAccount (
      { workspaceId, from, to }: Omit<ReportRange, 'accountIds' | 'zone'>
    ): AsyncGenerator<Row> {
      for (let after = ''; ;) {
        const page = await accounts
          .find({ workspaceId, _id: { $gt: after } }, { projection: { handle: 1, instance: 1 } })
          .sort({ _id: 1 }).limit(accountPage).toArray()
        const accountIds = page.map(({ _id }) => _id)
        const found = page.length === 0
          ? []
          : await run({ workspaceId, accountIds, from, to, zone: 'UTC' }, [{ $group: { _id: '$accountId', ...sums } }])
        const byAccount = new Map(found.map((row) => [row['_id'], row]))
        for (const { _id, handle, instance } of page) {
          const { _id: _account, ...counts } = byAccount.get(_id) ?? none
          yield { account: `${handle}@${instance}`, ...counts }
        }
        if (page.length < accountPage) return
        after = accountIds.at(-1) ?? ''
      }
    },

    async engagementByDay (range: ReportRange): Promise<Row[]> {
      const day = { $dateToString: { date: '$publishedAt', format: '%Y-%m-%d', timezone: range.zone } }
      return await run(range, [
        { $group: { _id: day, ...sums } },
        { $sort: { _id: 1 } },
        { $limit: mostRows },
        { $project: { _id: 0, day: '$_id', posts: 1, favourites: 1, reblogs: 1, replies: 1 } }
      ])
    },

    /** A post counts once per tag. */
    async hashtagPerformance (range: ReportRange): Promise<Row[]> {
      const engagement = { $add: ['$favourites', '$reblogs', '$replies'] }
      return await run(range, [
        { $unwind: '$tags' },
        { $group: { _id: '$tags', ...sums } },
        { $project: { _id: 0, tag: '$_id', posts: 1, engagement } },
        { $sort: { posts: -1, tag: 1 } },
        { $limit: mostRows }
      ])
    }
  }
}

function matchOf ({ workspaceId, accountIds, from, to }: ReportRange): Document {
  return { workspaceId, accountId: { $in: [...accountIds] }, publishedAt: { $gte: from, $lt: to } }
}
