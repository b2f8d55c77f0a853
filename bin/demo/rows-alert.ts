import { setTimeout as sleep } from 'node:timers/promises'
import { awayFromSlot, watchersOf, type Job, type Row } from './job.ts'
import { until, type Json } from './rest.ts'
import { bar, itemsOf } from './rows-connect.ts'

const event = 'social.post.discovered'

export const count: Row = {
  number: 7,
  title: 'Count them',
  async run (job) {
    const { expected, options, person: { workspaceId }, watchers: { W } } = job
    const channel = W.channel(`analytics.live:${workspaceId}`)
    const value = (): number => Number(channel.state.get(event)?.['value'] ?? 0)
    await until('the live count', 2000 * options.timeScale + 30_000, () => {
      job.tell(bar('counted', value(), expected.posts.length))
      return value() >= expected.posts.length
    })
    const lastPage = W.channel(`social.feed:${job.accountId}`).pubs[expected.pages - 1]
    const counted = channel.pubs.find(({ key, d }) => key === event && d['value'] === expected.posts.length)
    if (lastPage !== undefined && counted !== undefined && !options.isChaos) {
      const lateMs = counted.at - lastPage.at
      job.must(lateMs <= 2000 * options.timeScale, `the live count came ${lateMs} ms after the last page`)
    }
    const { rows } = await job.a.ask('POST', '/v1/analytics/queries', { event, range: { last: '24h' } })
    job.figures.discovered = rows[0][0]
    job.must(rows[0][0] === expected.posts.length, `the query counts ${rows[0][0]}`)
    job.must(value() === expected.posts.length, `the live count is ${value()}`)
  }
}

export const alert: Row = {
  number: 8,
  title: 'Raise an alert on a burst of new posts',
  async run (job) {
    const { options, person: { workspaceId }, watchers: { W, V } } = job
    const { id } = await job.a.ask('POST', '/v1/analytics/alerts', {
      name: 'A burst of posts',
      query: { event, where: [{ prop: 'isBackfill', op: 'eq', value: false }], range: { last: '15m' } },
      op: 'gt',
      threshold: 20,
      forMs: 0,
      everyMs: 5000
    })
    job.alertId = id
    for (const watcher of watchersOf(job)) await watcher.subscribe(`analytics.alerts:${workspaceId}`)
    const feed = W.channel(`social.feed:${job.accountId}`)
    await awayFromSlot(job)
    const before = feed.pubs.length
    await job.control.ask('POST', '/control/posts', { publish: 25 })
    const { headers } = await job.a.call('POST', `/v1/social/accounts/${job.accountId}/sync`, {})
    await until('the sync of the burst', 30_000, async () =>
      (await job.a.ask('GET', headers.get('location') ?? '')).state === 'succeeded')
    await until('the batch of the burst', 10_000, () => feed.pubs.length > before)
    const fresh = feed.pubs.slice(before)
    job.must(fresh.length === 1 && itemsOf(fresh).length === 25, 'one more batch, of 25 posts')
    const committedAt = fresh[0]?.at ?? Date.now()
    const most = 15_000 * options.timeScale
    const fired = await Promise.all([W, V].map(async (watcher) => await until(`firing at ${watcher.name}`, most, () =>
      watcher.channel(`analytics.alerts:${workspaceId}`).pubs.find(({ k }) => k === 'firing'))))
    job.firedAt = Math.max(...fired.map(({ at }) => at))
    job.must(job.firedAt - committedAt <= most, `fired after ${job.firedAt - committedAt} ms`)
  }
}

export const notify: Row = {
  number: 9,
  title: 'Tell the person once, in the inbox and by mail',
  async run (job) {
    const { options, person: { userId, email, workspaceId } } = job
    const most = 10_000 * options.timeScale
    const mailsOf = async (): Promise<Json[]> => {
      const { items } = await job.sink.ask('GET', `/mails?to=${encodeURIComponent(email)}`)
      return items.filter(({ subject, text }: Json) => `${subject} ${text}`.includes('A burst of posts'))
    }
    await until('the item in the inbox', most, async () => (await inboxOf(job)).length > 0)
    await until('the mail', most, async () => (await mailsOf()).length > 0)
    const added = (name: string): number => watchersOf(job).find((one) => one.name === name)
      ?.channel(`notifications.inbox:${userId}`).pubs.filter(({ k }) => k === 'item-added').length ?? 0
    await until('the item at every client', most, () => watchersOf(job).every(({ name }) => added(name) > 0))
    const [item] = await inboxOf(job)
    await job.a.ask('POST', `/v1/notifications/inbox/${item.id}/read`)
    job.figures.seconds = Math.round((Date.now() - job.startedAt) / 100) / 10
    const end = Date.now() + options.quietMs
    while (Date.now() < end) {
      job.tell(`${Math.ceil((end - Date.now()) / 1000)} s more for a message that must not come`)
      await sleep(500)
    }
    const items = await inboxOf(job)
    const mails = await mailsOf()
    const firing = job.watchers.V.channel(`analytics.alerts:${workspaceId}`).pubs.filter(({ k }) => k === 'firing')
    Object.assign(job.figures, { items: items.length, mails: mails.length, fired: firing.length })
    job.must(items.length === 1 && items[0].readAt !== null, `${items.length} items, the first read`)
    job.must(mails.length === 1, `${mails.length} mails`)
    job.must(firing.length === 1, `fired ${firing.length} times`)
    for (const { name } of watchersOf(job)) job.must(added(name) === 1, `${name} saw the item ${added(name)} times`)
  }
}

async function inboxOf (job: Job): Promise<Json[]> {
  return await job.a.all('/v1/notifications/inbox')
}
