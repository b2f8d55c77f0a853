import t from 'tap'
import { mastodon } from '../../src/social/connectors/mastodon.ts'
import type { RawAnswer } from '../../src/social/connectors/port.ts'
import { batchOf } from '../../src/social/feed.ts'
import { postOf, profileOf } from '../../src/social/platforms/mastodon/shapes.ts'
import { plainTextOf } from '../../src/social/platforms/mastodon/text.ts'
import { classify } from '../../src/social/platforms/mastodon/verdicts.ts'
import { planOf, plansOf } from '../../src/social/sync/plan.ts'
import { nextSlot } from '../../src/social/sync/slots.ts'
import { daysBetween, dayOf, instantOf, isZone } from '../../src/social/zones.ts'
import { statusOf } from '../stand-ins/platforms/faces/mastodon/shapes.ts'
import { startPlatforms } from '../stand-ins/platforms/index.ts'

const status = {
  id: '920061541986250758',
  created_at: '2017-10-16T22:59:00.000Z',
  content: '<p>Hello</p>',
  url: 'https://example.org/@a/1',
  favourites_count: 3,
  reblogs_count: 2,
  replies_count: 1,
  language: 'en',
  media_attachments: []
}
const shape = (change: object) => postOf({ ...status, ...change }, 7) as unknown as Record<string, unknown>

t.test('every post of the content comes through as it is', async (t) => {
  const platforms = await startPlatforms()
  const account = platforms.world.accounts.get(platforms.world.actorId)!
  const wrong = account.posts.filter((post) => {
    const raw = JSON.parse(JSON.stringify(statusOf(post, account, platforms.world, platforms.origin)))
    const read = postOf(raw, 0)
    return 'pointers' in read || read.text !== post.text || read.tags.join() !== post.tags.join() ||
      read.remoteId !== post.id || read.language !== post.language || read.metrics.favourites !== post.favourites
  })
  t.equal(account.posts.length, 3207)
  t.same(wrong, [])
  await platforms.close()
})

t.test('HTML becomes plain text', (t) => {
  const rows: Array<[string, string]> = [
    ['<p>a &amp; b</p>', 'a & b'],
    ['<p>a &amp;amp; b</p>', 'a &amp; b'],
    ['<p>one<br />two<br>three</p>', 'one\ntwo\nthree'],
    ['<p>one</p><p>two</p>', 'one\n\ntwo'],
    ['<p>a  b </p>', 'a  b '],
    ['<p>\uFFFD stays</p>', '\uFFFD stays'],
    ['<p>e\u0301</p>', 'é'],
    ['a\0b', 'a\uFFFDb'],
    ['<p>see <a href="https://example.org/x"><span class="invisible">https://</span><span>example.org</span></a></p>',
      'see https://example.org'],
    ['<script>alert(1)</script><p>x</p><style>p{}</style>', 'x'],
    ['<p>\u202Eright to left</p>', '\u202Eright to left'],
    ['<p>unclosed <b>bold', 'unclosed bold'],
    ['', '']
  ]
  for (const [html, text] of rows) t.equal(plainTextOf(html).text, text, html)
  const {
    links
  } = plainTextOf('<a href="https://example.org/a">x</a><a class="mention" href="https://example.org/@b">b</a>' +
    '<a class="u-url hashtag" href="https://example.org/t">t</a><a href="javascript:alert(1)">j</a>')
  t.same(links, ['https://example.org/a'])
  t.end()
})

t.test('what a platform tells wrongly is made right, left out, or refused with its pointer', (t) => {
  t.same(shape({ id: Number('9007199254740993') })['pointers'], ['/id'], 'a number that is rounded is no id')
  t.equal(shape({ id: 42 })['remoteId'], '42')
  t.equal(shape({ id: 'AbC9x' })['remoteId'], 'AbC9x', 'ids that are no numbers are ids')
  t.same(shape({ created_at: 'yesterday' })['pointers'], ['/created_at'])
  t.equal(shape({ created_at: '2017-10-16T22:59:00' })['publishedAt'], '2017-10-16T22:59:00.000Z')
  t.equal(shape({ created_at: '2017-10-16T22:59:00+02:00' })['publishedAt'], '2017-10-16T20:59:00.000Z')
  t.same(shape({ content: 5 })['pointers'], ['/content'])
  t.same(shape({ favourites_count: '12', reblogs_count: -1, replies_count: 1.5 })['metrics'], { favourites: 12 })
  t.same(shape({ favourites_count: undefined, reblogs_count: null, replies_count: 0 })['metrics'], { replies: 0 })
  t.equal(shape({ language: null })['language'], null)
  t.equal(shape({ language: 'pt-BR' })['language'], 'pt-BR')
  t.equal(shape({ language: 7 })['language'], null)
  t.same(shape({ tags: [{ name: '＃ＣＡＴ' }, { name: 'cat' }, { name: 4 }, null] })['tags'], ['cat'])
  t.equal(shape({ url: 'javascript:alert(1)', uri: 'https://example.org/2' })['url'], 'https://example.org/2')
  t.equal(shape({ unknown: { deep: true } })['unknown'], undefined, 'unknown fields are dropped')
  t.equal(shape({ in_reply_to_id: '5' })['kind'], 'reply')
  const boost = shape({ content: '', reblog: { ...status, id: '1', content: '<p>theirs</p>', favourites_count: 9 } })
  t.match(boost, { kind: 'repost', repostOf: '1', text: 'theirs', metrics: { favourites: 9 }, attachments: [] })
  t.same(postOf('no object', 3), { place: 3, pointers: ['/'] })
  const file = { id: '1', type: 'image', url: 'https://example.org/f.png', description: null, meta: null }
  t.match(shape({ media_attachments: [file, { ...file, url: null }] })['attachments'], [{ kind: 'image', width: null }])
  t.match(profileOf(
    { id: '1', username: 'a', acct: 'a', display_name: '', note: '<p>x</p>', followers_count: '3' }, []),
  { remoteId: '1', profile: { name: 'a', handle: 'a', bio: 'x' }, counts: { followers: 3 } })
  t.match(profileOf({ username: 'a' }, []), { pointers: ['/id'] })
  t.end()
})

t.test('only what is listed condemns', (t) => {
  const answer = (
    status: number, body: unknown = {}, headers: Record<string, string> = {}): RawAnswer => ({ status, body, headers })
  const rows: Array<[RawAnswer, object]> = [
    [answer(200), { kind: 'ok' }],
    [answer(401), { kind: 'reauth' }],
    [answer(403, { error: 'This action is outside the authorized scopes' }), { kind: 'scope' }],
    [answer(403, { error: 'Your login is currently disabled' }), { kind: 'restricted' }],
    [answer(403, '<html>'), { kind: 'unknown' }],
    [answer(404), { kind: 'gone' }],
    [answer(410), { kind: 'gone' }],
    [answer(422), { kind: 'invalid' }],
    [answer(418), { kind: 'unknown' }],
    [answer(500), { kind: 'retry' }],
    [answer(503), { kind: 'retry' }],
    [answer(503, {}, { 'retry-after': '7' }), { kind: 'wait', waitMs: 7000 }],
    [answer(429, {}, { 'retry-after': '2' }), { kind: 'wait', waitMs: 2000 }],
    [answer(429), { kind: 'wait', waitMs: 60_000 }],
    [answer(429, {}, { date: 'Wed, 25 Nov 2026 10:00:00 GMT', 'x-ratelimit-reset': '2026-11-25T10:00:30.000Z' }),
      { kind: 'wait', waitMs: 30_000 }],
    [answer(429, {}, { date: 'Wed, 25 Nov 2026 10:00:00 GMT', 'retry-after': 'Wed, 25 Nov 2026 10:00:05 GMT' }),
      { kind: 'wait', waitMs: 5000 }]
  ]
  for (const [given, verdict] of rows) t.same(classify(given), verdict, `${given.status}`)
  t.end()
})

t.test('a page is a list of posts, each judged alone', async (t) => {
  const page = await mastodon.readPosts({}, { remoteId: '1', scopes: [] }, async () => ({
    status: 200,
    headers: { link: '<https://elsewhere.example/x>; rel="next"' },
    body: [status, { ...status, id: '8', created_at: 4 }, { ...status, id: '7' }]
  }))
  t.equal(page.items.length, 2)
  t.same(page.bad, [{ place: 1, pointers: ['/created_at'] }])
  t.match(page, { newestId: '920061541986250758', oldestId: '7', hasOlder: true })
  await t.rejects(mastodon.readPosts(
    {}, { remoteId: '1', scopes: [] }, async () => ({ status: 200, headers: {}, body: {} })),
  { code: 'social.upstream_answer_invalid' })
  t.same(mastodon.missingScopes(['read']), [])
  t.same(mastodon.missingScopes(['read:accounts', 'profile']), ['read:statuses'])
})

t.test('a page against what is known', (t) => {
  const at = { workspaceId: 'w', accountId: 'a', now: new Date(0) }
  const remote = postOf(status, 0) as Parameters<typeof planOf>[0][number]
  const first = planOf([remote, remote], new Map(), at)
  t.equal(first.fresh.length, 1, 'a page that repeats an item adds it once')
  const stored = first.fresh[0]!.post
  const known = new Map([[stored.remoteId, stored]])
  t.same(planOf([remote], known, at).items, [], 'nothing changed, nothing to write')
  const moved = { ...remote, attachments: [] }
  t.same(planOf([moved], known, at).items, [], 'a new address of a file is no change')
  t.match(planOf([{ ...remote, text: 'edited' }], known, at).changed, [{ isContent: true, set: { text: 'edited' } }])
  const liked = planOf([{ ...remote, metrics: { ...remote.metrics, favourites: 4 } }], known, at)
  t.match(liked.changed, [{ isContent: false }])
  t.equal('text' in liked.changed[0]!.set, false, 'new numbers rewrite no text')
  const twice = plansOf([[remote], [{ ...remote, text: 'edited' }], [{ ...remote, text: 'edited' }]], new Map(), at)
  t.same(twice.map(({ items }) => items.map(({ change }) => change)), [['discovered'], ['changed'], []],
    'a page is held against the pages before it')
  t.same(twice.map((plan) => plan.known), [0, 1, 1])
  t.same(planOf([remote], new Map([[stored.remoteId, { ...stored, goneAt: new Date(1) }]]), at).items,
    [{ postId: stored.id, change: 'changed' }], 'what came back is live again')
  t.end()
})

t.test('slots, days and batches', (t) => {
  const now = Date.parse('2026-11-25T10:00:00Z')
  const slot = nextSlot('a', 15, now)
  t.ok(slot.getTime() > now && slot.getTime() <= now + 900_000)
  t.equal(nextSlot('a', 15, slot.getTime() - 1).getTime(), slot.getTime(), 'one slot until it is reached')
  t.equal(nextSlot('a', 15, slot.getTime()).getTime(), slot.getTime() + 900_000)
  t.equal(dayOf(new Date('2026-11-25T23:30:00Z'), 'Asia/Tokyo'), '2026-11-26')
  t.equal(instantOf('2026-03-29', 'Europe/Berlin')?.toISOString(), '2026-03-28T23:00:00.000Z')
  t.equal(instantOf('2026-02-30', 'UTC'), undefined)
  t.equal(isZone('Europe/Nowhere'), false)
  const days = (from: string, to: string): number => daysBetween(new Date(from), new Date(to), 'Europe/Berlin')
  t.equal(days('2026-03-28T23:00:00Z', '2026-03-29T22:00:00Z'), 1, 'a day of 23 hours is a day')
  t.equal(days('2026-03-28T23:00:00Z', '2026-03-29T22:00:01Z'), 2)
  const item = (n: number) => ({ postId: `p${n}`, change: 'discovered' as const })
  const post = (n: number, text: string) => ({ id: `p${n}`, remoteId: `r${n}`, publishedAt: new Date(0), text })
  const batch = (count: number, text: string) => batchOf(
    { accountId: 'a', syncId: 's', isBackfill: true, items: Array.from({ length: count }, (_, n) => item(n)) },
    Array.from({ length: count }, (_, n) => post(n, text)) as never)
  t.equal(batch(1, '😀'.repeat(100)).items[0]?.text?.length, 140)
  t.equal(batch(1, 'x' + '😀'.repeat(100)).items[0]?.text?.isWellFormed(), true, 'never half of a character')
  const large = batch(200, '世'.repeat(140))
  t.equal(large.items.length, 200, 'above the limit the texts go, never an item')
  t.equal(large.items[0]?.text, undefined)
  t.ok(Buffer.byteLength(JSON.stringify(large)) <= 32 * 1024)
  t.end()
})
