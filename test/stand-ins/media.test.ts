import { createHash } from 'node:crypto'
import t from 'tap'
import {
  madeFile, mainJobFaults, startPlatforms, type Effect, type Platforms, type RequestEntry
} from './platforms/index.ts'

async function start (test: { teardown: (close: () => Promise<void>) => unknown }, options = {}) {
  const platforms = await startPlatforms({ mediaBytesPerSecond: 64 * 1024 * 1024, ...options })
  test.teardown(platforms.close)
  return platforms
}

function get ({ origin }: Platforms, n: number, headers: Record<string, string> = {}, method = 'GET') {
  return fetch(`${origin}/media/${n}`, { method, headers })
}

/** What arrived of a file, and whether the answer came to its end. */
async function take (answer: Response): Promise<{ body: Buffer, isWhole: boolean }> {
  const pieces: Uint8Array[] = []
  try {
    for await (const piece of answer.body!) pieces.push(piece)
    return { body: Buffer.concat(pieces), isWhole: true }
  } catch (error) {
    if (!(error instanceof TypeError)) throw error
    return { body: Buffer.concat(pieces), isWhole: false }
  }
}

const hash = (body: Buffer) => createHash('sha256').update(body).digest('hex')

/** The requests of an operation, once all of them have ended. */
async function ended ({ ledger }: Platforms, operation: string): Promise<RequestEntry[]> {
  const asked = ledger.requests.filter((entry) => entry.operation === operation)
  while (asked.some((entry) => entry.outcome === 'open')) await new Promise(setImmediate)
  return asked
}

t.test('ranges and conditions are those of HTTP', async (t) => {
  const platforms = await start(t)
  const file = platforms.world.media.get(84)!
  const size = file.bytes
  const whole = await get(platforms, 84)
  const etag = `"${file.sha256}"`
  t.match(Object.fromEntries(whole.headers), {
    etag, 'accept-ranges': 'bytes', 'content-type': 'image/jpeg', 'content-length': String(size)
  })
  const modified = whole.headers.get('last-modified')!
  t.equal(hash(Buffer.from(await whole.arrayBuffer())), file.sha256)

  const cases: [string, number, string | null, number][] = [
    ['bytes=0-0', 206, `bytes 0-0/${size}`, 1],
    ['bytes=448000-', 206, `bytes 448000-448491/${size}`, 492],
    ['bytes=448000-999999', 206, `bytes 448000-448491/${size}`, 492],
    ['bytes=-100', 206, `bytes ${size - 100}-${size - 1}/${size}`, 100],
    [`bytes=${size}-`, 416, `bytes */${size}`, 0],
    ['bytes=-0', 416, `bytes */${size}`, 0],
    ['bytes=9-3', 200, null, size],
    ['bytes=0-1,5-6', 200, null, size],
    ['lines=1-2', 200, null, size]
  ]
  for (const [range, status, contentRange, bytes] of cases) {
    const answer = await get(platforms, 84, { range })
    const { byteLength } = await answer.arrayBuffer()
    t.same([answer.status, answer.headers.get('content-range'), byteLength], [status, contentRange, bytes], range)
  }
  const status = async (headers: Record<string, string>) => {
    const answer = await get(platforms, 84, headers)
    await answer.arrayBuffer()
    return answer.status
  }
  t.equal(await status({ range: 'bytes=1-', 'if-range': etag }), 206)
  t.equal(await status({ range: 'bytes=1-', 'if-range': modified }), 206)
  t.equal(await status({ range: 'bytes=1-', 'if-range': '"other"' }), 200, 'changed: the whole file')
  t.equal(await status({ 'if-none-match': etag }), 304)
  t.equal(await status({ 'if-modified-since': modified }), 304)
  t.equal((await get(platforms, 321)).status, 404)
  const head = await get(platforms, 84, {}, 'HEAD')
  t.same([head.status, head.headers.get('content-length')], [200, String(size)])
})

t.test('media flow at the set speed, each answer by itself', async (t) => {
  const platforms = await start(t, { mediaBytesPerSecond: 256 * 1024 })
  const startedAt = performance.now()
  await Promise.all([276, 276].map(async (n) => await (await get(platforms, n)).arrayBuffer()))
  const took = performance.now() - startedAt
  const earned = (Math.ceil(162_716 / 16_384) - 1) * 62.5
  t.ok(took >= earned - 2, `${took} ms for 10 pieces`)
  t.ok(took < earned + 600, `${took} ms is not twice as slow`)
  const [first] = await ended(platforms, 'media.get')
  t.match(first, { bytesSent: 162_716, outcome: 'sent', status: 200 })
  t.equal(platforms.ledger.counts().filesWhole, 1, 'one file, sent twice')
})

t.test('the faults of the main job: cut at 60 %, resumed; no ranges for one file; one 429', async (t) => {
  const platforms = await start(t)
  for (const fault of mainJobFaults()) platforms.faults.add(fault)
  for (const n of [84, 289]) {
    const file = platforms.world.media.get(n)!
    const probe = await get(platforms, n, { range: 'bytes=0-0' })
    t.equal((await take(probe)).isWhole, true, 'a probe does not reach the place of the cut')
    const cut = await take(await get(platforms, n))
    t.same([cut.body.length, cut.isWhole], [Math.floor(file.bytes * 0.6), false])
    t.equal(platforms.ledger.counts().filesWhole, n === 84 ? 0 : 1)
    const rest = await get(platforms, n, { range: `bytes=${cut.body.length}-`, 'if-range': `"${file.sha256}"` })
    t.equal(rest.status, 206)
    const { body } = await take(rest)
    t.equal(hash(Buffer.concat([cut.body, body])), file.sha256)
    t.equal(platforms.ledger.counts().filesWhole, n === 84 ? 1 : 2, 'two answers that join are a whole file')
  }
  platforms.faults.add({ match: { remoteId: '84' }, effect: { kind: 'cut', atByte: 300_000 } })
  const again = await take(await get(platforms, 84, { range: 'bytes=269095-' }))
  t.equal(again.body.length, 300_000 - 269_095, 'the place of a cut is one in the file')
  t.equal((await get(platforms, 276, { range: 'bytes=-100' })).status, 206)
  t.equal((await ended(platforms, 'media.get')).at(-1)!.bytesSent, 100)
  t.equal(platforms.ledger.counts().filesWhole, 2, 'an end alone is no file')
  t.equal((await get(platforms, 0, { range: 'bytes=10-' })).status, 200)
  t.equal((await get(platforms, 0, { range: 'bytes=10-' })).status, 200, 'always')
  const outcomes = (await ended(platforms, 'media.get')).map(({ outcome, status, range }) => [outcome, status, range])
  t.same(outcomes.slice(0, 3), [['sent', 206, 'bytes=0-0'], ['cut', 200, null], ['sent', 206, 'bytes=269095-']])

  const { accessToken } = platforms.world.issueToken({
    clientId: null, accountId: platforms.world.actorId, scopes: ['read']
  })
  const answers: Response[] = []
  for (let n = 1; n <= 11; n++) {
    answers.push(await fetch(`${platforms.origin}/api/v1/accounts/${platforms.world.actorId}/statuses?limit=1`, {
      headers: { authorization: `Bearer ${accessToken}` }
    }))
  }
  t.same(answers.map(({ status }) => status), [...Array(9).fill(200), 429, 200])
  t.equal(answers[9]!.headers.get('retry-after'), '2')
})

t.test('every other fault, once, then all is well', async (t) => {
  const platforms = await start(t)
  const { origin, faults } = platforms
  const url = `${origin}/api/v2/instance`
  const meets = async (effect: Effect, path = url, operation = 'instance.get') => {
    faults.add({ match: { operation }, effect })
    return await fetch(path, { signal: AbortSignal.timeout(300) })
  }
  const html = await meets({ kind: 'html' })
  t.match(await html.text(), /^<!doctype html>/)
  await t.rejects(meets({ kind: 'truncated-json' }).then((answer) => answer.json()), SyntaxError)
  await t.rejects(meets({ kind: 'hang' }), { name: 'TimeoutError' })
  await t.rejects(meets({ kind: 'drop-before' }), TypeError)
  await t.rejects(meets({ kind: 'delay', ms: 400 }), { name: 'TimeoutError' })
  const instead = await meets({ kind: 'answer', status: 503, body: { error: 'Down' } })
  t.same([instead.status, await instead.json()], [503, { error: 'Down' }])
  const near = await meets({ kind: 'headers', headers: { 'x-ratelimit-remaining': '1' } })
  t.equal(near.headers.get('x-ratelimit-remaining'), '1')
  await near.text()
  await t.rejects(meets({ kind: 'reset', atByte: 10 }).then((answer) => answer.text()), TypeError)
  await t.rejects(meets({ kind: 'wrong-length', by: 10 }).then((answer) => answer.text()), TypeError)
  const etag = await meets({ kind: 'etag', etag: '"other"' }, `${origin}/media/5`, 'media.get')
  t.equal(etag.headers.get('etag'), '"other"')
  await etag.arrayBuffer()
  t.match(await (await fetch(url)).json(), { title: 'Stand-in' }, 'each came once')
  t.ok(platforms.ledger.requests.slice(0, 10).every((entry) => entry.faults.length === 1), 'each is in the log')

  platforms.world.addMedia(madeFile({ n: 500, body: Buffer.alloc(12 * 1024 * 1024, 7), type: 'image/png' }))
  t.equal((await (await get(platforms, 500)).arrayBuffer()).byteLength, 12 * 1024 * 1024)
})

t.test('the ledger is written before any answer, and counts can be waited for', async (t) => {
  const platforms = await start(t)
  const { origin, controlOrigin, faults, ledger } = platforms
  const send = (url: string, body: object) => fetch(url, {
    method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body)
  })
  const redirect = 'http://127.0.0.1:1/back'
  const app = await (await send(`${origin}/api/v1/apps`, { client_name: 'x', redirect_uris: redirect })).json() as
    { client_id: string, client_secret: string }
  const search = new URLSearchParams({
    response_type: 'code',
    client_id: app.client_id,
    redirect_uri: redirect,
    state: 's',
    demo: '1',
    code_challenge_method: 'S256',
    code_challenge: createHash('sha256').update('v'.repeat(43)).digest('base64url')
  })
  const consent = await fetch(`${origin}/oauth/authorize?${search}`, { redirect: 'manual' })
  const code = new URL(consent.headers.get('location')!).searchParams.get('code')!
  faults.add({ match: { operation: 'oauth.token' }, effect: { kind: 'drop-after' } })
  const shown = { redirect_uri: redirect, code, code_verifier: 'v'.repeat(43) }
  const grant = { grant_type: 'authorization_code', ...app, ...shown }
  await t.rejects(send(`${origin}/oauth/token`, grant), TypeError, 'the answer is lost')
  t.match(ledger.entries, [{ n: 1, operation: 'oauth.token', effect: 'granted' }], 'the effect stands')
  await send(`${controlOrigin}/control/posts`, { publish: 2 })
  t.same(ledger.entries.map(({ n, effect }) => [n, effect]), [[1, 'granted'], [2, 'published'], [3, 'published']])
  t.equal(ledger.entries[2]!.remoteId, platforms.world.accounts.get(platforms.world.actorId)!.posts.at(-1)!.id)

  const until = (query: string) => fetch(`${controlOrigin}/control/counts?${query}`).then((answer) => answer.json())
  t.match(await until('until=filesWhole:3&timeoutMs=20'), { isReached: false, filesWhole: 0 })
  const waiting = until('until=filesWhole:3')
  for (const n of [1, 2, 3]) await (await get(platforms, n)).arrayBuffer()
  t.match(await waiting, { isReached: true, filesWhole: 3 })
  t.match(await until('until=nothing:3'), { error: 'until' })
  const { items } = await (await fetch(`${controlOrigin}/control/requests?operation=media.get&remoteId=2`)).json() as
    { items: RequestEntry[] }
  t.match(items, [{ operation: 'media.get', status: 200, bytesSent: platforms.world.media.get(2)!.bytes }])
  const secrets = await (await fetch(`${controlOrigin}/control/secrets`)).json() as Record<string, string[]>
  t.same(secrets['clientSecrets'], [app.client_secret])
  t.same(secrets['codes'], [code])
  t.notMatch(JSON.stringify(ledger.requests), code, 'the log of requests holds no code')
})
