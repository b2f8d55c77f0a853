import { countsOf, watchersOf, type Job, type JobOptions, type Row } from './job.ts'
import { createRest, until, type Json } from './rest.ts'
import { openWatcher } from './watcher.ts'

const password = 'a long enough demo password'

export const signUp: Row = {
  number: 1,
  title: 'Sign up, log in, open the WebSocket door',
  async run (job) {
    job.startedAt = Date.now()
    const email = `ada.${job.startedAt}@example.com`
    const [serverA, serverB] = job.stage.servers
    const nobody = createRest(serverA, () => undefined)
    const { flowId } = await nobody.ask('POST', '/v1/identity/registrations', {
      email, password, displayName: 'Ada Demo', locale: 'en', zone: 'UTC'
    })
    job.tell('waiting for the code')
    const mail = await job.sink.ask('GET', `/mails/next?to=${encodeURIComponent(email)}&timeoutMs=30000`)
    const code = /\b\d{6}\b/.exec(mail.text)?.[0]
    job.must(code !== undefined, 'the mail holds a code of six digits')
    await nobody.ask('POST', `/v1/identity/registrations/${flowId}/verify`, { code })
    const tokens = await nobody.ask('POST', '/v1/identity/logins', {
      email, password, client: 'native', deviceName: 'demo'
    })
    job.person = { email, password, userId: tokens.user.id, workspaceId: '', ...tokens }
    job.a = createRest(serverA, () => job.person.accessToken)
    job.b = createRest(serverB, () => job.person.accessToken)
    const { data: workspaces } = await job.a.ask('GET', '/v1/identity/workspaces')
    job.person.workspaceId = workspaces[0].id
    await openDoors(job)
  }
}

async function openDoors (job: Job): Promise<void> {
  const [serverA, serverB] = job.stage.servers
  const token = (): string => job.person.accessToken
  const open = async (name: string, origin: string) => await openWatcher({
    name, origin, token, onLoad: (channel) => { void load(job, name, channel) }
  })
  const [W, V, X, Y] = await Promise.all([
    open('W', serverA), open('V', serverB), open('X', serverA), open('Y', serverA)
  ])
  job.watchers = { W, V, X, Y }
  const { workspaceId, userId } = job.person
  for (const watcher of watchersOf(job)) {
    await watcher.subscribe(`analytics.live:${workspaceId}`)
    const inbox = watcher.channels.get(`notifications.inbox:${userId}`)
    job.must(inbox !== undefined, `${watcher.name} hears its inbox without asking`)
    job.must(watcher.channel(`analytics.live:${workspaceId}`).epoch !== '', `${watcher.name} has a position`)
  }
}

/** Continuity of a channel cannot be proved: what it shows is loaded afresh. */
async function load (job: Job, name: string, channel: string): Promise<void> {
  if (!channel.startsWith('social.feed:')) return
  const posts = await job.a.all(`/v1/social/accounts/${job.accountId}/posts`)
  const known = job.loaded.get(name) ?? new Set()
  for (const { id } of posts) known.add(id)
  job.loaded.set(name, known)
}

export const connect: Row = {
  number: 2,
  title: 'Connect an account of a Mastodon-compatible server',
  async run (job) {
    const { connectionId, authorizeUrl } = await job.a.ask('POST', '/v1/social/connections', {
      platform: 'mastodon', instance: job.stage.platform.origin, method: 'oauth'
    })
    const asked = await fetch(`${authorizeUrl}&demo=1`, { redirect: 'manual' })
    job.must(asked.status === 302, 'the platform sends the person back')
    const back = new URL(asked.headers.get('location') ?? '')
    const answer = await createRest(back.origin, () => undefined).call('GET', `${back.pathname}${back.search}`)
    job.must(answer.status === 303, `the callback answers 303, not ${answer.status}`)
    const connection = await job.a.ask('GET', `/v1/social/connections/${connectionId}`)
    job.must(connection.state === 'connected', 'the connection is made')
    const { data: accounts } = await job.a.ask('GET', '/v1/social/accounts')
    job.accountId = accounts[0].id
    job.must(accounts.length === 1 && accounts[0].health.state === 'active', 'one account, active')
    const counts = await countsOf(job)
    job.must(counts.listRequests === 0, 'nothing was read yet')
    for (const watcher of watchersOf(job)) {
      for (const noun of ['account', 'feed', 'downloads']) await watcher.subscribe(`social.${noun}:${job.accountId}`)
    }
  }
}

export const firstSync: Row = {
  number: 3,
  title: 'Read every post',
  async run (job) {
    const { expected, options, watchers: { W } } = job
    planAccidents(job)
    const began = Date.now()
    const { headers } = await job.a.call('POST', `/v1/social/accounts/${job.accountId}/sync`, {})
    const account = `social.account:${job.accountId}`
    const pagesSeen = (): number[] => W.channel(account).pubs
      .filter(({ key }) => key === 'sync').map(({ d }) => d['pages'] as number)
    await until('the last page', options.isChaos ? 150_000 : 90_000, async () => {
      job.tell(bar('pages', pagesSeen().at(-1) ?? 0, expected.pages))
      return await isSynced(job)
    })
    job.firstSyncMs = Date.now() - began
    await until('the end of the operation', 30_000, async () => {
      const operation = await job.a.ask('GET', headers.get('location') ?? '')
      return operation.state === 'succeeded'
    })
    // The next run of the rhythm may begin now and counts from nothing: who was away hears of that one alone.
    const isNextDone = (): boolean => {
      const { runId, state } = W.channel(account).state.get('sync') ?? {}
      return state === 'done' && headers.get('location')?.endsWith(String(runId)) === false
    }
    await until('the last page on the socket', 10_000, () =>
      pagesSeen().includes(expected.pages) || (options.isChaos && isNextDone()))
    const pages = pagesSeen().slice(0, pagesSeen().indexOf(Math.max(...pagesSeen())) + 1)
    const first = pages.find((count) => count > 0) ?? 0
    job.must(first >= 1 && isRising(pages), 'the pages of the account only rise')
    job.figures.pages = pages.at(-1) ?? 0
    await judgeFeed(job)
    await judgeRequests(job)
  }
}

async function isSynced (job: Job): Promise<boolean> {
  const account = await job.a.ask('GET', `/v1/social/accounts/${job.accountId}`)
  return account.sync.state === 'done' && account.counts.stored >= job.expected.posts.length
}

async function judgeFeed (job: Job): Promise<void> {
  const { expected, options } = job
  for (const watcher of watchersOf(job)) {
    const channel = watcher.channel(`social.feed:${job.accountId}`)
    await until(`the last batch at ${watcher.name}`, 30_000, () =>
      channel.loads.length > 0 || itemsOf(channel.pubs).length >= expected.posts.length)
    const ids = itemsOf(channel.pubs).map(({ remoteId }: Json) => BigInt(remoteId))
    if (channel.loads.length > 0) continue
    const { name } = watcher
    const isOnce = ids.length === expected.posts.length && new Set(ids).size === ids.length
    const isDescending = ids.every((id, index) => index === 0 || id < (ids[index - 1] ?? 0n))
    job.must(channel.pubs.length === expected.pages, `${name} heard ${channel.pubs.length} batches`)
    job.must(isOnce, `${name} saw each post once, not ${ids.length}`)
    job.must(isDescending, `${name}: ids strictly descend`)
  }
  job.figures.batches = job.watchers.W.channel(`social.feed:${job.accountId}`).pubs.length
  const { recoveries } = job.watchers.X.channel(`social.feed:${job.accountId}`)
  if (!options.isChaos) job.must(recoveries[0] === true, 'X came back without a gap')
}

async function judgeRequests (job: Job): Promise<void> {
  const { expected, options } = job
  const { items } = await job.control.ask('GET', '/control/requests?operation=accounts.statuses')
  job.figures.listRequests = items.length
  const most = expected.pages + sparePages(options, expected.pages)
  job.must(items.length <= most, `${items.length} list requests, at most ${most}`)
  job.must(items.every(({ isOverLimit }: Json) => isOverLimit === false), 'none over the limits')
  const refused = items.find(({ status }: Json) => status === 429)
  const next = items.find(({ n }: Json) => n > refused?.n)
  job.must(refused !== undefined && next.realAt - refused.realAt >= 2000, 'after the 429 nothing was asked for 2 s')
}

/** Cuts and, with chaos, kills, each by a count of the ledger and never by a clock. */
function planAccidents (job: Job): void {
  const { expected: { at }, options, watchers, stage } = job
  const when = (count: string, act: () => Promise<void> | void): void => {
    job.accidents.push(countsOf(job, count).then(act))
  }
  when(`listRequests:${at.cutX}`, async () => { await watchers.X.cut(2000) })
  when(`filesWhole:${at.cutY}`, async () => { await watchers.Y.cut(2000) })
  if (!options.isScripted) return
  when(`listRequests:${at.mongo}`, () => { stage.kill('mongo') })
  when(`listRequests:${at.server}`, () => { stage.kill('server') })
  when(`filesWhole:${at.redis}`, () => { stage.kill('redis') })
  when(`filesWhole:${at.io}`, () => { stage.kill('worker io keeper') })
}

export function itemsOf (pubs: ReadonlyArray<{ k: string, d: Record<string, unknown> }>): Json[] {
  return pubs.flatMap(({ k, d }) => k === 'batch' ? d['items'] as Json[] : [])
}

function isRising (values: readonly number[]): boolean {
  return values.every((value, index) => index === 0 || value >= (values[index - 1] ?? 0))
}

export function bar (unit: string, done: number, total: number): string {
  const width = 30
  const filled = Math.round(width * Math.min(1, done / Math.max(1, total)))
  return `${'█'.repeat(filled)}${'░'.repeat(width - filled)} ${done} of ${total} ${unit}`
}

/** What is read once more: little in peace, some after each of the scripted deaths, and under fire nothing for ever. */
function sparePages ({ isChaos, isScripted }: JobOptions, pages: number): number {
  if (!isChaos) return 3
  return isScripted ? 9 : pages
}
