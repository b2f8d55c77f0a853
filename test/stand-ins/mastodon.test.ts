import { createHash, randomBytes } from 'node:crypto'
import t from 'tap'
import { mainJobFaults, readImages, readPosts, startPlatforms, type Platforms } from './platforms/index.ts'

const callback = 'http://127.0.0.1:1/v1/social/callbacks/mastodon'

interface Status {
  id: string
  language: string | null
  content: string
  tags: { name: string }[]
  media_attachments: { url: string }[]
}

async function start (test: { teardown: (close: () => Promise<void>) => unknown }, options = {}) {
  const platforms = await startPlatforms(options)
  test.teardown(platforms.close)
  return platforms
}

function post (url: string, body: Record<string, unknown>) {
  return fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })
}

async function register ({ origin }: Platforms, fields = {}) {
  const answer = await post(`${origin}/api/v1/apps`, {
    client_name: 'Switchyard', redirect_uris: [callback], scopes: 'read', ...fields
  })
  return await answer.json() as { client_id: string, client_secret: string }
}

function pkce () {
  const verifier = randomBytes(32).toString('base64url')
  return { verifier, challenge: createHash('sha256').update(verifier).digest('base64url') }
}

async function authorize ({ origin }: Platforms, params: Record<string, string | undefined>) {
  const search = new URLSearchParams(Object.entries({
    response_type: 'code', redirect_uri: callback, scope: 'read', state: 'st', code_challenge_method: 'S256', ...params
  }).filter((field): field is [string, string] => field[1] !== undefined))
  const answer = await fetch(`${origin}/oauth/authorize?${search}`, { redirect: 'manual' })
  const location = answer.headers.get('location')
  return { status: answer.status, text: await answer.text(), back: location === null ? null : new URL(location) }
}

/** Everything up to a fresh code. */
async function codeFor (platforms: Platforms) {
  const app = await register(platforms)
  const { verifier, challenge } = pkce()
  const { back } = await authorize(platforms, { client_id: app.client_id, code_challenge: challenge, demo: '1' })
  return {
    grant_type: 'authorization_code',
    client_id: app.client_id,
    client_secret: app.client_secret,
    redirect_uri: callback,
    code: back!.searchParams.get('code')!,
    code_verifier: verifier
  }
}

function read (platforms: Platforms, path: string, accessToken = pasted(platforms)) {
  return fetch(new URL(path, platforms.origin), { headers: { authorization: `Bearer ${accessToken}` } })
}

function pasted ({ world }: Platforms): string {
  return world.issueToken({ clientId: null, accountId: world.actorId, scopes: ['read'] }).accessToken
}

/** All pages of the actor, by the `next` links. */
async function walk (platforms: Platforms) {
  const accessToken = pasted(platforms)
  const pages: Status[][] = []
  let next: string | undefined = `/api/v1/accounts/${platforms.world.actorId}/statuses?limit=40`
  while (next !== undefined) {
    const answer = await read(platforms, next, accessToken)
    pages.push(await answer.json() as Status[])
    next = /<([^>]+)>; rel="next"/.exec(answer.headers.get('link') ?? '')?.[1]
  }
  return pages
}

t.test('the content is the one that the main job names', async (t) => {
  const posts = readPosts()
  const sum = (count: (post: typeof posts[number]) => number) => posts.reduce((total, post) => total + count(post), 0)
  t.equal(posts.length, 3207)
  t.equal(sum((post) => post.favourites), 44_275_398)
  t.equal(sum((post) => post.reblogs), 14_448_644)
  t.equal(sum((post) => post.replies), 1_674_570)
  t.equal(posts.filter((post) => post.tags.includes('actonclimate')).length, 302)
  t.equal(posts.filter((post) => post.language === null).length, 1069)
  t.notOk(posts.some((post) => /&(amp|gt|lt|quot);/.test(post.text)), 'entities are decoded')
  t.equal(new Date(posts.at(-1)!.createdAt).toISOString(), '2017-10-16T22:59:00.000Z')

  const files = readImages()
  const bytes = (list: typeof files) => list.reduce((total, file) => total + file.bytes, 0)
  t.equal(files.length, 321)
  t.equal(bytes(files), 6_119_844)
  t.equal(new Set(files.map((file) => file.sha256)).size, 321)
  t.same(files.map((file) => file.sha256), files.map((file) => file.sha256).sort(), 'ascending by sha256')
  for (const file of files) {
    const body = file.read()
    const isSame = body.length === file.bytes && createHash('sha256').update(body).digest('hex') === file.sha256
    if (!isSame) t.fail(`${file.name} is not what images.csv says`)
  }
  t.match(files[289], { name: 'exif-samples/jpg/corrupted.jpg', bytes: 1_960_703 })
  t.match(files[84], { bytes: 448_492 })
  t.match(files[148], { name: 'pngsuite/xcsn0g01.png' })
  t.same(posts.filter((post) => post.media !== null).map((post) => post.media), files.map((file) => file.n))
})

t.test('paging gives all posts once, newest first, and stops', async (t) => {
  const platforms = await start(t)
  const pages = await walk(platforms)
  t.equal(pages.length, 81)
  t.equal(pages.at(-1)!.length, 7)
  t.same(pages.flat().map(({ id }) => id), readPosts().map(({ id }) => id).reverse())
  t.equal(pages.flat().filter(({ media_attachments: media }) => media.length === 1).length, 321)
  t.match(platforms.ledger.counts(), { listRequests: 81 })
  const newest = pages[0]![0]!.id
  const list = `/api/v1/accounts/${platforms.world.actorId}/statuses`
  const none = await read(platforms, `${list}?min_id=${newest}`)
  t.same([await none.json(), none.headers.get('link')], [[], null], 'nothing newer, no links')
  await post(`${platforms.controlOrigin}/control/posts`, { publish: 25 })
  const fresh = await (await read(platforms, `${list}?limit=40&min_id=${newest}`)).json() as Status[]
  t.equal(fresh.length, 25)
  t.equal(fresh.at(-1)!.id, String(BigInt(newest) + 1n), 'ids follow the largest')
  t.equal(fresh.at(-1)!.content, pages.flat().at(-1)!.content, 'texts of index 0 and on')
  t.same(fresh.flatMap((status) => status.media_attachments), [])
  const near = await (await read(platforms, `${list}?limit=5&min_id=${newest}`)).json() as Status[]
  t.equal(near.at(-1)!.id, fresh.at(-1)!.id, 'min_id gives the posts next to it')
})

t.test('the small world is the newest 600 posts with their files', async (t) => {
  const platforms = await start(t, { small: true })
  const pages = await walk(platforms)
  t.equal(pages.flat().length, 600)
  t.equal(platforms.world.media.size, 60)
  t.equal([...platforms.world.media.values()].reduce((sum, file) => sum + file.bytes, 0), 2_483_778)
  t.ok(platforms.world.media.has(289) && platforms.world.media.has(276))
  t.same(mainJobFaults({ small: true }).map(({ match }) => match.remoteId ?? match.nth), ['289', 2])
  t.same(mainJobFaults().map(({ match }) => match.remoteId ?? match.nth), ['84', '289', '0', 10])
})

t.test('consent: a client, an address, a scope, a state and S256, or nothing', async (t) => {
  const platforms = await start(t)
  const { client_id: id } = await register(platforms)
  const { challenge } = pkce()
  const good = { client_id: id, code_challenge: challenge, demo: '1' }
  const asks = (params: Record<string, string | undefined>) => authorize(platforms, { ...good, ...params })

  const granted = await asks({})
  t.equal(granted.status, 302)
  t.equal(granted.back!.origin + granted.back!.pathname, callback)
  t.equal(granted.back!.searchParams.get('state'), 'st')
  t.match(await asks({ demo: undefined }), { status: 200, text: /<button type="submit">Authorize<\/button>/ })

  t.match(await asks({ client_id: 'other' }), { status: 401, back: null })
  t.match(await asks({ redirect_uri: `${callback}/` }), { status: 400, back: null }, 'no redirect to a foreign address')
  const refusals: [Record<string, string | undefined>, string][] = [
    [{ code_challenge: undefined }, 'invalid_request'],
    [{ code_challenge_method: undefined }, 'invalid_request'],
    [{ code_challenge_method: 'plain' }, 'invalid_request'],
    [{ state: undefined }, 'invalid_request'],
    [{ scope: 'read write' }, 'invalid_scope'],
    [{ response_type: 'token' }, 'unsupported_response_type'],
    [{ demo: 'deny' }, 'access_denied']
  ]
  for (const [params, error] of refusals) {
    const { back } = await asks(params)
    t.same([back!.searchParams.get('error'), back!.searchParams.has('code')], [error, false], JSON.stringify(params))
  }
  t.equal((await post(`${platforms.origin}/api/v1/apps`, { client_name: 'x', redirect_uris: ['x'] })).status, 422)
})

t.test('exchange: a code works once, for 60 s, for its client, address and verifier', async (t) => {
  const platforms = await start(t)
  const token = `${platforms.origin}/oauth/token`
  const grant = await codeFor(platforms)
  const first = await post(token, grant)
  const body = await first.json() as { access_token: string }
  t.match(body, { token_type: 'Bearer', scope: 'read', created_at: Number })
  t.match(await (await post(token, grant)).json(), { error: 'invalid_grant' }, 'once')
  const changes: Record<string, string>[] = [
    { redirect_uri: `${callback}?x=1` }, { code_verifier: pkce().verifier }, { code_verifier: '' }, { code: 'other' }
  ]
  for (const change of changes) {
    const answer = await post(token, { ...await codeFor(platforms), ...change })
    t.same([answer.status, await answer.json()].slice(0, 1), [400], Object.keys(change)[0]!)
  }
  t.equal((await post(token, { ...await codeFor(platforms), client_secret: 'other' })).status, 401)

  const late = await codeFor(platforms)
  platforms.clock.advance(60_000)
  t.equal((await post(token, late)).status, 400, 'too late')
  const timely = await codeFor(platforms)
  platforms.clock.freeze()
  platforms.clock.advance(58_000)
  t.equal((await post(token, timely)).status, 200, 'in time')

  const verify = '/api/v1/accounts/verify_credentials'
  t.match(await (await read(platforms, verify, body.access_token)).json(), { username: 'actor', source: Object })
  const foreign = await post(`${platforms.origin}/oauth/revoke`, { ...timely, token: body.access_token })
  t.equal(foreign.status, 403, 'not by another client')
  t.equal((await post(`${platforms.origin}/oauth/revoke`, { ...grant, token: body.access_token })).status, 200)
  t.equal((await read(platforms, verify, body.access_token)).status, 401, 'revoked')
})

t.test('tokens are refused on demand, scopes hold, 300 requests are the limit', async (t) => {
  const platforms = await start(t)
  const verify = '/api/v1/accounts/verify_credentials'
  const tokens = `${platforms.controlOrigin}/control/tokens`
  const { accessToken } = await (await post(tokens, {})).json() as { accessToken: string }
  const status = async () => (await read(platforms, verify, accessToken)).status
  await post(tokens, { refuse: accessToken, times: 1 })
  t.same([await status(), await status()], [401, 200], 'once, then fine')
  await post(tokens, { refuse: 'all' })
  t.same([await status(), await status()], [401, 401], 'for good')
  await post(tokens, { refuse: 'all', times: 0 })
  const narrow = await (await post(tokens, { scopes: ['read:statuses'] })).json() as { accessToken: string }
  t.equal((await read(platforms, verify, narrow.accessToken)).status, 403)
  t.equal((await fetch(platforms.origin + verify)).status, 401)
  t.equal((await post(tokens, { refused: 'all' })).status, 400, 'the control port knows its fields')

  platforms.clock.freeze()
  const fresh = pasted(platforms)
  let last = await read(platforms, verify, fresh)
  for (let n = 1; n < 300; n++) {
    await last.body?.cancel()
    last = await read(platforms, verify, fresh)
  }
  t.same([last.status, last.headers.get('x-ratelimit-remaining')], [200, '0'])
  const over = await read(platforms, verify, fresh)
  t.equal(over.status, 429)
  t.ok(Date.parse(over.headers.get('x-ratelimit-reset')!) > platforms.clock.now())
  platforms.clock.advance(5 * 60_000)
  t.equal((await read(platforms, verify, fresh)).status, 200, 'the next window')
  await post(`${platforms.controlOrigin}/control/reset`, {})
  t.equal((await read(platforms, verify, fresh)).status, 401, 'a reset world knows no old token')
})
