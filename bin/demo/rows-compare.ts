import { watchersOf, type Job, type Row } from './job.ts'
import { until, type Json } from './rest.ts'
import { itemsOf } from './rows-connect.ts'
import { scan } from './scan.ts'
import type { Channel, Watcher } from './watcher.ts'

export const compare: Row = {
  number: 10,
  title: 'What the sockets told is what REST answers',
  async run (job) {
    const posts = await job.a.all(`/v1/social/accounts/${job.accountId}/posts`)
    const ids = new Set(posts.map(({ id }) => id))
    job.must(ids.size === job.expected.posts.length + 25, `${ids.size} posts in the end`)
    for (const watcher of watchersOf(job)) {
      const told = new Set<string>(job.loaded.get(watcher.name))
      for (const { postId } of itemsOf(watcher.channel(`social.feed:${job.accountId}`).pubs)) told.add(postId)
      const missing = [...ids].filter((id) => !told.has(id)).length
      const isWhole = missing === 0 && told.size === ids.size
      job.must(isWhole, `${watcher.name} was told of ${told.size} posts, ${missing} miss`)
      job.must(watcher.faults.length === 0, watcher.faults.slice(0, 3).join('; '))
    }
    compareOrders(job)
    await compareStates(job)
  }
}

/** The same (offset, mid) at every client on topics of events and durable ones, between its fresh loads. */
function compareOrders (job: Job): void {
  const { userId, workspaceId } = job.person
  const names = [`social.feed:${job.accountId}`, `analytics.alerts:${workspaceId}`, `notifications.inbox:${userId}`]
  for (const name of names) {
    const reference = orderOf(job.watchers.V.channel(name))
    for (const watcher of watchersOf(job)) {
      const channel = watcher.channel(name)
      const order = orderOf(channel)
      if (channel.loads.length === 0 && job.watchers.V.channel(name).loads.length === 0) {
        job.must(order === reference, `${watcher.name} saw another order of ${name}`)
      }
      job.must(hasNoGap(channel), `${watcher.name} has a gap in ${name}`)
    }
  }
}

function orderOf ({ pubs }: Channel): string {
  return pubs.map(({ o, mid }) => `${o} ${mid}`).join('\n')
}

function hasNoGap ({ pubs, loads }: Channel): boolean {
  return pubs.every(({ o }, index) => index === 0 || loads.includes(index) || o === (pubs[index - 1]?.o ?? 0) + 1)
}

async function compareStates (job: Job): Promise<void> {
  const { W, V } = job.watchers
  for (const watcher of [W, V]) {
    await until(`${watcher.name} to show what REST shows`, 10_000, async () =>
      (await differences(job, watcher)).length === 0).catch(async () => {
      job.must(false, `${watcher.name}: ${(await differences(job, watcher)).slice(0, 3).join('; ')}`)
    })
  }
}

async function differences (job: Job, watcher: Watcher): Promise<string[]> {
  const account = await job.a.ask('GET', `/v1/social/accounts/${job.accountId}`)
  const downloads = await job.a.all(`/v1/social/accounts/${job.accountId}/downloads`)
  const metrics = await job.a.ask('GET', '/v1/analytics/live')
  const state = (name: string): Channel['state'] => watcher.channel(name).state
  const accountState = state(`social.account:${job.accountId}`)
  return [
    ...['health', 'sync', 'counts'].flatMap((key) => differing(key, accountState.get(key), account[key])),
    ...downloads.flatMap((one) => differing(one.id, state(`social.downloads:${job.accountId}`).get(one.id), one)),
    ...metrics.data.flatMap((one: Json) => {
      const live = state(`analytics.live:${job.person.workspaceId}`).get(one.name)
      return live?.['value'] === one.value ? [] : [`${one.name}: ${String(live?.['value'])} is ${one.value}`]
    })
  ]
}

/** Members that both sides have and that are not equal. */
function differing (name: string, told: Record<string, unknown> | undefined, read: Json): string[] {
  if (told === undefined) return [`${name} was never told`]
  return Object.keys(told).filter((key) => key in read && JSON.stringify(told[key]) !== JSON.stringify(read[key]))
    .map((key) => `${name}.${key}: ${JSON.stringify(told[key])} is ${JSON.stringify(read[key])}`)
}

export const secrets: Row = {
  number: 11,
  title: 'No secret anywhere',
  async run (job) {
    const known = await job.control.ask('GET', '/control/secrets')
    const { accessToken, refreshToken, password } = job.person
    const words = [...known.accessTokens, ...known.clientSecrets, ...known.codes, accessToken, refreshToken, password]
    const { hits, isBlind } = await scan(job, words.filter((word: unknown) => typeof word === 'string' && word !== ''))
    job.must(isBlind.length === 0, `the search does not see ${isBlind.join(', ')}`)
    job.must(hits.length === 0, hits.slice(0, 5).join('; '))
  }
}
