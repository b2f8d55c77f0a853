import t from 'tap'
import { drain, quickSignIn } from '../helper.ts'
import { alertFired } from '../../src/analytics/index.ts'
import { uuidv7 } from '../../src/kernel/index.ts'
import { buildPeople as build } from '../identity/app.ts'

const base = '/v1/notifications'

t.test('the inbox belongs to one person', async (t) => {
  const app = await build(t, { role: 'both' })
  const [ann, bob] = [await quickSignIn(app), await quickSignIn(app)]
  const empty = await app.inject({ url: `${base}/inbox`, headers: ann.headers })
  t.match(
    [empty.statusCode, empty.json()],
    [200, { data: [], page: { hasMore: false }, unseen: 0, unread: 0, position: { offset: 0 } }]
  )
  for (let n = 0; n < 3; n++) {
    await app.tx(async (session) => await app.events.emit(session, alertFired, {
      alertId: uuidv7(),
      instanceId: uuidv7(),
      ruleName: `Rule ${n}`,
      event: 'social.post.discovered',
      value: 25,
      threshold: 20,
      at: '2026-01-02T03:04:05.000Z',
      recipients: [ann.userId],
      link: '/console/alerts'
    }, { type: 'alert-instance', id: uuidv7() }, { workspaceId: ann.workspaceId }))
  }
  await drain(app)

  const first = (await app.inject({ url: `${base}/inbox?limit=2`, headers: ann.headers })).json<{
    data: Array<{ id: string }>, page: { next: string }
  }>()
  t.match(
    first,
    {
      data: [{ category: 'alerts', link: '/console/alerts', readAt: null }, {}],
      unread: 3,
      page: { hasMore: true },
      position: { channel: `notifications.inbox:${ann.userId}`, offset: 3 }
    }
  )
  const second = (await app.inject({
    url: `${base}/inbox?limit=2&cursor=${first.page.next}`, headers: ann.headers
  })).json<{ data: Array<{ id: string }> }>()
  t.equal(new Set([...first.data, ...second.data].map(({ id }) => id)).size, 3)
  const stolen = await app.inject({ url: `${base}/inbox?limit=2&cursor=${first.page.next}`, headers: bob.headers })
  t.match([stolen.statusCode, stolen.json()], [400, { code: 'http.cursor_invalid' }])

  const id = first.data[0]?.id ?? ''
  const foreign = await app.inject({ method: 'POST', url: `${base}/inbox/${id}/read`, headers: bob.headers })
  t.match([foreign.statusCode, foreign.json()], [404, { code: 'notifications.item_not_found' }])
  const act = async (action: string) => (await app.inject({
    method: 'POST', url: `${base}/inbox/${id}/${action}`, headers: ann.headers
  })).json<object>()
  t.same(await act('read'), { unseen: 2, unread: 2 })
  t.same(await act('read'), { unseen: 2, unread: 2 }, 'twice is once')
  t.same(await act('unread'), { unseen: 2, unread: 3 })
  t.same(await act('archive'), { unseen: 2, unread: 2 })
  const all = await app.inject({ method: 'POST', url: `${base}/inbox/read-all`, headers: ann.headers, payload: {} })
  t.same(all.json(), { unseen: 0, unread: 0 })
  const read = (await app.inject({ url: `${base}/inbox?state=read`, headers: ann.headers })).json<{ data: object[] }>()
  t.equal(read.data.length, 2)
  const none = await app.inject({ url: `${base}/inbox` })
  t.match([none.statusCode, none.json()], [401, { code: 'identity.token_missing' }])
})

t.test('captured mails are shown on this machine only', async (t) => {
  const app = await build(t)
  await app.notifications.captureMail({ to: 'a@example.org', subject: 'One', text: '1', messageId: 'one@example.org' })
  await app.notifications.captureMail({ to: 'b@example.org', subject: 'Two', text: '2', messageId: 'two@example.org' })
  await app.notifications.captureMail({ to: 'b@example.org', subject: 'Two', text: '2', messageId: 'two@example.org' })
  const read = async (query: string, headers = {}, remoteAddress = '127.0.0.1') =>
    await app.inject({ url: `${base}/captured-mails${query}`, headers, remoteAddress })
  const all = await read('')
  t.match([all.statusCode, all.json<{ data: object[] }>().data.length], [200, 2])
  t.match((await read('?to=b@example.org')).json(), { data: [{ subject: 'Two' }] })
  for (const [headers, address] of [
    [{ host: 'evil.example' }, '127.0.0.1'], [{}, '10.0.0.7'], [{ 'x-forwarded-for': '127.0.0.1' }, '10.0.0.7']
  ] as const) {
    const answer = await read('', headers, address)
    t.match([answer.statusCode, answer.json()], [404, { code: 'http.route_not_found' }])
  }
})

t.test('the newest 200 captured mails are kept', async (t) => {
  const app = await build(t)
  for (let n = 0; n < 205; n++) {
    await app.notifications.captureMail({
      to: 'a@example.org', subject: `${n}`, text: '', messageId: `${n}@example.org`
    })
  }
  const mails = await app.notifications.listCapturedMails()
  t.ok(mails.length <= 200 && mails.length > 190)
  t.equal(mails[0]?.subject, '204')
})
