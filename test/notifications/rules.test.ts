import type { FastifyInstance } from 'fastify'
import { SMTPServer } from 'smtp-server'
import t from 'tap'
import { drain, quickSignIn, type QuickPerson } from '../helper.ts'
import { alertFired, alertResolved } from '../../src/analytics/index.ts'
import { uuidv7, type DomainEvent, type JobContext, type Session } from '../../src/kernel/index.ts'
import { buildPeople as build } from '../identity/app.ts'

interface Row { _id: string, [field: string]: unknown }

const alertOf = (recipients: string[]) => ({
  alertId: uuidv7(),
  instanceId: uuidv7(),
  ruleName: 'Too many posts',
  event: 'social.post.discovered',
  value: 25,
  threshold: 20,
  at: '2026-01-02T03:04:05.000Z', recipients, link: '/console/alerts'
})

async function fire (app: FastifyInstance, people: readonly QuickPerson[], event = alertFired): Promise<string> {
  const data = alertOf(people.map(({ userId }) => userId))
  return await app.tx(async (session) => await app.events.emit(session, event, data,
    { type: 'alert-instance', id: data.instanceId }, { workspaceId: people[0]?.workspaceId ?? '' }))
}

async function count (app: FastifyInstance, name: string, filter: object = {}): Promise<number> {
  return await app.db.collection(name).countDocuments(filter)
}

async function eventOf (app: FastifyInstance, id: string): Promise<DomainEvent<ReturnType<typeof alertOf>>> {
  const row = await app.db.collection<Row>('jobs.events').findOne({ _id: id })
  return { ...row, id } as unknown as DomainEvent<ReturnType<typeof alertOf>>
}

/** The context of a job as far as a handler of ours uses it; `dies` stands for a process killed at its last step. */
function contextOf<D> (app: FastifyInstance, data: D, { dies = false } = {}): JobContext<D> {
  const run = { id: uuidv7(), name: 'test', workspaceId: '', data, attempt: 0, createdAt: app.clock.now() }
  return {
    run,
    commit: async <T> (work: (session: Session) => Promise<T>) => {
      if (dies) throw new Error('killed')
      return await app.tx(work)
    },
    checkpoint: async <T> (work: (session: Session) => Promise<T>) => await app.tx(work)
  } as unknown as JobContext<D>
}

t.test('an alert is one item and one mail for each of its people', async (t) => {
  const app = await build(t, { role: 'both' })
  const [ann, bob] = [await quickSignIn(app), await quickSignIn(app)]
  const eventId = await fire(app, [ann, bob])
  await drain(app)
  t.equal(await count(app, 'notifications.inbox_items'), 2)
  const mails = await app.notifications.listCapturedMails(ann.email)
  t.equal(mails.length, 1)
  t.match(mails[0], { subject: 'Alert: Too many posts', text: /social\.post\.discovered stands at 25; the threshold is 20\./ })

  await t.test('however often and by how many the event is handled', async () => {
    const event = await eventOf(app, eventId)
    await Promise.all(Array.from(
      { length: 8 }, async () => { await app.notifications.startAlert(event, 'raised', contextOf(app, {})) }
    ))
    await drain(app)
    const [trigger] = await app.db.collection<Row>('notifications.triggers').find().toArray()
    const runs = await app.db.collection<Row>('notifications.runs').find().toArray()
    const again = [
      ...runs.flatMap(({ _id, workspaceId }) => [0, 1, 0, 1].map(async (step) => {
        await app.notifications.advance(contextOf(app, { runId: _id, workspaceId: String(workspaceId), step }))
      })),
      ...[1, 2].map(async () => {
        await app.notifications.fanOut(contextOf(
          app, { triggerId: String(trigger?._id), workspaceId: String(trigger?.['workspaceId']) }
        ))
      })
    ]
    await Promise.all(again)
    await drain(app)
    t.equal(await count(app, 'notifications.triggers'), 1)
    t.equal(await count(app, 'notifications.runs'), 2)
    t.equal(await count(app, 'notifications.inbox_items'), 2)
    t.equal(await count(app, 'notifications.messages', { state: 'sent' }), 2)
    t.equal(await count(app, 'notifications.attempts'), 2)
    t.equal(await count(app, 'notifications.captured_mails'), 2)
    t.equal(await count(app, 'jobs.events', { type: 'notifications.message.sent' }), 2)
  })

  await t.test('and its end is news of its own', async () => {
    await fire(app, [ann], alertResolved)
    await drain(app)
    t.match((await app.notifications.listCapturedMails(ann.email)).map(({ subject }) => subject),
      ['Resolved: Too many posts', 'Alert: Too many posts'])
  })

  await t.test('addresses stand nowhere in the clear but in the account and the captured mails', async () => {
    for (const name of ['triggers', 'runs', 'messages', 'attempts', 'inbox_items']) {
      const rows = JSON.stringify(await app.db.collection(`notifications.${name}`).find().toArray())
      t.notMatch(rows, ann.email, name)
    }
  })
})

t.test('a mail is sent once, or listed as unknown', async (t) => {
  const app = await build(t)
  const ann = await quickSignIn(app)
  const message = await queueMail(app, ann)
  const data = { messageId: message, workspaceId: ann.workspaceId }
  await t.rejects(app.notifications.sendEmail(contextOf(app, data, { dies: true })), /killed/)
  t.equal(await count(app, 'notifications.captured_mails'), 1)
  t.match(await app.db.collection('notifications.attempts').findOne({}), { n: 1, state: 'sending' })

  await app.notifications.sendEmail(contextOf(app, data))
  t.match(await app.db.collection('notifications.messages').findOne({}), { state: 'unknown', reason: 'died' })
  t.match(await app.db.collection('notifications.attempts').findOne({}), { n: 1, state: 'unknown' })
  t.equal(await count(app, 'jobs.events', { type: 'notifications.message.unknown' }), 1)
  await app.notifications.sendEmail(contextOf(app, data))
  t.equal(await count(app, 'notifications.attempts'), 1, 'and never again')
})

/** Walks a fired alert up to its message without a worker. */
async function queueMail (app: FastifyInstance, person: QuickPerson): Promise<string> {
  const event = await eventOf(app, await fire(app, [person]))
  const { workspaceId } = person
  await app.notifications.startAlert(event, 'raised', contextOf(app, {}))
  const trigger = await app.db.collection<Row>('notifications.triggers').findOne({})
  await app.notifications.fanOut(contextOf(app, { triggerId: String(trigger?._id), workspaceId }))
  const run = await app.db.collection<Row>('notifications.runs').findOne({})
  for (const step of [0, 1]) {
    await app.notifications.advance(contextOf(
      app, { runId: String(run?._id), workspaceId, step }
    ))
  }
  return String((await app.db.collection<Row>('notifications.messages').findOne({}))?._id)
}

t.test('a code is mailed, stands nowhere else, and is late after its time', async (t) => {
  const app = await build(t, { role: 'both' })
  const { flowId } = await app.identity.register({ email: 'new@example.org', displayName: 'New <b>' })
  const code = (await app.identity.codeMail(flowId))?.code ?? ''
  await drain(app)
  const [mail, ...rest] = await app.notifications.listCapturedMails('new@example.org')
  t.equal(rest.length, 0)
  t.match(mail, { subject: `${code} is your Switchyard code`, text: new RegExp(`your code is ${code}\\.`) })
  t.match(mail?.html, 'New &lt;b&gt;', 'a name is text, never markup')
  for (const { name } of await app.db.listCollections().toArray()) {
    if (name === 'notifications.captured_mails' || name.startsWith('system.')) continue
    const rows = await app.db.collection(name).find().toArray()
    t.notMatch(JSON.stringify(rows), `"${code}"`, name)
  }

  const late = await app.identity.register({ email: 'late@example.org', displayName: 'Late' })
  await app.db.collection<Row>('identity.flows').updateOne(
    { _id: late.flowId }, { $set: { 'code.expiresAt': new Date(0) } }
  )
  await drain(app)
  t.equal((await app.notifications.listCapturedMails('late@example.org')).length, 0)
})

t.test('an inbox has one number for each change, without a gap', async (t) => {
  const app = await build(t, { role: 'both' })
  const ann = await quickSignIn(app)
  await Promise.all(Array.from({ length: 6 }, async () => await fire(app, [ann])))
  await drain(app)
  const { rows, unseen, unread, position } = await app.notifications.inbox.list(ann.actor, { limit: 100 })
  t.match([rows.length, unseen, unread, position.offset], [6, 6, 6, 6])

  await Promise.all([
    ...rows.slice(0, 3).flatMap(({ id }) => [1, 2, 3].map(async () =>
      await app.notifications.inbox.act(ann.actor, id, 'read'))),
    app.notifications.inbox.seen(ann.actor),
    ...rows.slice(4).map(async ({ id }) => await app.notifications.inbox.act(ann.actor, id, 'archive'))
  ])
  await drain(app)
  const after = await app.notifications.inbox.list(ann.actor, { limit: 100 })
  t.match([after.rows.length, after.unseen, after.unread], [4, 0, 1])
  t.equal(after.rows.filter(({ readAt }) => readAt === null).length, after.unread, 'counters are what the items say')

  const replayed = await app.notifications.inbox.replay(ann.userId, 1, 100)
  t.same(replayed.map(({ offset }) => offset), replayed.map((_, index) => index + 1))
  t.equal(replayed.at(-1)?.offset, after.position.offset)
  t.match(replayed.at(-1)?.data, { unseen: 0, unread: 1 })
})

t.test('a mail server takes one mail a person, and what it refuses for good is not tried again', async (t) => {
  const taken: string[] = []
  const gone = 'gone@example.org'
  const server = new SMTPServer({
    disabledCommands: ['STARTTLS', 'AUTH'],
    onRcptTo ({ address }, _session, done) {
      done(address === gone ? Object.assign(new Error('5.1.1 No such user'), { responseCode: 550 }) : null)
    },
    onData (stream, { envelope }, done) {
      stream.resume()
      stream.on('end', () => {
        taken.push(...envelope.rcptTo.map(({ address }) => address))
        done()
      })
    }
  })
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve) })
  t.teardown(async () => { await new Promise<void>((resolve) => { server.close(() => { resolve() }) }) })
  const { port } = server.server.address() as { port: number }
  const app = await build(t, {
    role: 'both', config: { MAIL_DRIVER: 'smtp', SMTP_URL: `smtp://127.0.0.1:${port}` }
  })
  const [ann, bob] = [await quickSignIn(app), await quickSignIn(app, { email: gone })]
  await fire(app, [ann, bob])
  await drain(app)
  t.same(taken, [ann.email])
  const messages = await app.db.collection('notifications.messages').find().toArray()
  t.same(messages.map(({ state, reason }) => `${state} ${reason}`).sort(), ['failed target_gone', 'sent null'])
  t.equal(await count(app, 'notifications.attempts'), 2)
  t.equal(await count(app, 'notifications.inbox_items'), 2, 'the inbox has it in both cases')
  const listed = await app.inject({ url: '/v1/notifications/captured-mails' })
  t.equal(listed.statusCode, 404, 'nothing is captured where mails leave')
})
