import t from 'tap'
import { alertFired } from '../../src/analytics/index.ts'
import { uuidv7 } from '../../src/kernel/index.ts'
import { buildPeople as build } from '../identity/app.ts'
import { quickSignIn, type QuickPerson } from '../helper.ts'
import { dial } from '../live/harness.ts'

t.test('an inbox is live: nothing twice, nothing missing, and nothing after the session', async (t) => {
  const app = await build(t, { role: 'both' })
  const address = await app.listen({ host: '127.0.0.1', port: 0 })
  const url = `${address.replace('http', 'ws')}/live`
  const ann = await quickSignIn(app)
  const channel = `notifications.inbox:${ann.userId}`

  async function connect ({ accessToken }: QuickPerson, subs: object = {}) {
    const client = await dial(t, url)
    const answer = await client.ask({ t: 'connect', v: 1, token: accessToken, subs })
    return { ...client, answer }
  }
  async function fire (): Promise<void> {
    await app.tx(async (session) => await app.events.emit(session, alertFired, {
      alertId: uuidv7(),
      instanceId: uuidv7(),
      ruleName: 'Live',
      event: 'social.post.discovered',
      value: 25,
      threshold: 20,
      at: '2026-01-02T03:04:05.000Z',
      recipients: [ann.userId],
      link: '/console/alerts'
    }, { type: 'alert-instance', id: uuidv7() }, { workspaceId: ann.workspaceId }))
  }

  const first = await connect(ann)
  const start = first.answer['ok']?.subs?.[channel]
  t.match(start, { o: 0 }, 'the inbox is joined by the server')
  await fire()
  const pub = await first.next((frame) => frame['t'] === 'pub' && frame['ch'] === channel, 20_000)
  t.match(pub, { o: 1, k: 'item-added', d: { item: { title: 'Alert: Live', seenAt: null }, unseen: 1, unread: 1 } })
  await first.close()

  await fire()
  await app.redis.del(await app.redis.keys(app.redisKey('live:*')))
  const second = await connect(ann, { [channel]: { e: start.e, o: 0 } })
  const item = await second.next((frame) => frame['t'] === 'pub' && frame['o'] === 2, 20_000)
  t.match(item, { k: 'item-added', d: { unseen: 2 } })
  const seen = second.pubs(channel)
  t.same(seen.map(({ o }) => o), [1, 2], 'the history comes from the events, each once')
  t.equal(seen[0]?.['mid'], pub['mid'])

  const stranger = await quickSignIn(app)
  const foreign = await connect(stranger)
  const refused = await foreign.ask({ t: 'sub', ch: channel })
  t.match(refused, { err: { temp: false } }, 'nobody joins the inbox of somebody else')

  await app.inject({ method: 'DELETE', url: '/v1/identity/sessions/current', headers: ann.headers })
  const startedAt = performance.now()
  const { code } = await second.closed
  t.match([code, performance.now() - startedAt < 1000], [4503, true], 'the end of the session closes its sockets')
})
