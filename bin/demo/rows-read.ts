import { MongoClient, type Timestamp } from 'mongodb'
import { reportTag } from './content.ts'
import { awayFromSlot, countsOf, type Job, type Row } from './job.ts'
import { until, type Json } from './rest.ts'

export const readBack: Row = {
  number: 4,
  title: 'Read them back, report, sync again twice',
  async run (job) {
    const { expected } = job
    const posts = await job.a.all(`/v1/social/accounts/${job.accountId}/posts`)
    const sum = (field: string): number => posts.reduce((total, { metrics }) => total + metrics[field], 0)
    Object.assign(job.figures, {
      posts: posts.length, favourites: sum('favourites'), reblogs: sum('reblogs'), replies: sum('replies')
    })
    job.must(posts.length === expected.posts.length, `${posts.length} posts by REST`)
    for (const field of ['favourites', 'reblogs', 'replies'] as const) {
      job.must(sum(field) === expected[field], `${field} by REST: ${sum(field)} of ${expected[field]}`)
    }
    const texts = new Map(expected.posts.map(({ id, text }) => [id, text.normalize('NFC')]))
    const wrong = posts.filter(({ remoteId, text }) => texts.get(remoteId) !== text)
    job.must(wrong.length === 0, `${wrong.length} texts differ, first ${wrong[0]?.remoteId ?? ''}`)
    await judgeReports(job)
    job.figures.secondSync = await quietSync(job, { isFull: false, requests: 1 })
    job.figures.fullSync = await quietSync(job, { isFull: true, requests: expected.pages })
  }
}

const sums = ['posts', 'favourites', 'reblogs', 'replies'] as const

async function judgeReports (job: Job): Promise<void> {
  const { expected } = job
  const totals = { posts: 0, favourites: 0, reblogs: 0, replies: 0 }
  job.figures.tagged = 0
  for (const range of expected.ranges) {
    const days = await report(job, 'engagement-by-day', range)
    for (const field of sums) totals[field] += total(days.rows, field)
    const inRange = total(days.rows, 'posts')
    job.must(inRange === range.posts, `${inRange} of ${range.posts} posts from ${range.from}`)
    const tags = await report(job, 'hashtag-performance', range)
    const tagged = total(tags.rows.filter(({ tag }: Json) => tag === reportTag), 'posts')
    job.must(tagged === range.tagged, `${tagged} of ${range.tagged} posts with #${reportTag} from ${range.from}`)
    job.figures.tagged += tagged
  }
  for (const field of sums.slice(1) as Array<'favourites' | 'reblogs' | 'replies'>) {
    job.must(totals[field] === expected[field], `${field} by report: ${totals[field]}`)
  }
  const [first, , last] = expected.ranges
  const whole = await report(job, 'engagement-by-day', { from: first?.from ?? '', to: last?.to ?? '' })
  job.must(whole.code === 'social.range_too_wide', 'all of it in one call is too wide')
}

async function report (job: Job, name: string, { from, to }: { from: string, to: string }): Promise<Json> {
  const { body } = await job.b.call('GET',
    `/v1/social/reports/${name}?accountId=${job.accountId}&from=${from}&to=${to}&zone=UTC`)
  return body
}

function total (rows: readonly Json[], field: string): number {
  return rows.reduce((sum, row) => sum + row[field], 0)
}

async function syncOnce (job: Job, isFull: boolean): Promise<void> {
  const path = `/v1/social/accounts/${job.accountId}/sync`
  const { status, headers } = await job.a.call('POST', path, isFull ? { isFull } : {})
  job.must(status === 202, `a sync is accepted, not ${status}`)
  await until('the end of the sync', 60_000, async () =>
    (await job.a.ask('GET', headers.get('location') ?? '')).state === 'succeeded')
}

/** A sync that must find nothing new: no write to the posts, no event, by a change stream of our own. */
async function quietSync (
  job: Job, { isFull, requests }: { isFull: boolean, requests: number }
): Promise<{ writes: number, events: number, ratio: number }> {
  await awayFromSlot(job)
  const { stores: { mongoUrl, database } } = job.stage
  const client = await new MongoClient(mongoUrl).connect()
  let writes = 0
  let events = 0
  const db = client.db(database)
  const { operationTime } = await db.command({ hello: 1 }) as { operationTime: Timestamp }
  const stream = db.watch([
    { $match: { 'ns.coll': { $in: ['social.posts', 'jobs.events'] } } }
  ], { startAtOperationTime: operationTime })
  stream.on('change', (change) => {
    if (!('ns' in change) || !('coll' in change.ns)) return
    if (change.ns.coll === 'social.posts') writes++
    else if ('fullDocument' in change && change.fullDocument?.['type'] === 'social.posts.synced') events++
  })
  const before = await countsOf(job)
  const began = Date.now()
  try {
    await syncOnce(job, isFull)
    const tookMs = Date.now() - began
    const after = await countsOf(job)
    const asked = after.listRequests - before.listRequests
    await new Promise((resolve) => setTimeout(resolve, 300))
    const name = isFull ? 'the full sync' : 'the second sync'
    const isAsked = asked === requests || (job.options.isChaos && asked <= requests + 2)
    job.must(isAsked, `${name} asked ${asked} times, not ${requests}`)
    job.must(writes === 0, `${name} wrote ${writes} posts`)
    job.must(events === 0, `${name} emitted ${events} events`)
    return { writes, events, ratio: Math.round(100 * tookMs / job.firstSyncMs) / 100 }
  } finally {
    await stream.close()
    await client.close()
  }
}
