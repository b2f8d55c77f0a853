import t from 'tap'
import { alertFired } from '../../src/analytics/index.ts'
import { uuidv7 } from '../../src/kernel/index.ts'
import { quickSignIn, type QuickPerson, type TestApp } from '../helper.ts'
import { buildPeople as build } from '../identity/app.ts'
import { until } from '../jobs/rig.ts'
import { startSmtpSink } from '../stand-ins/smtp.ts'

async function fire (app: TestApp, people: readonly QuickPerson[]): Promise<void> {
  const data = {
    alertId: uuidv7(), instanceId: uuidv7(), ruleName: 'Too many posts', event: 'social.post.discovered', value: 25,
    threshold: 20, at: '2026-01-02T03:04:05.000Z', recipients: people.map(({ userId }) => userId), link: '/console'
  }
  await app.tx(async (session) => await app.events.emit(session, alertFired, data,
    { type: 'alert-instance', id: data.instanceId }, { workspaceId: people[0]?.workspaceId ?? '' }))
}

t.test('a mail server that is away costs no attempt: all mails wait for it, and go when it is back', async (t) => {
  const first = await startSmtpSink()
  const app = await build(t, { role: 'both', config: { MAIL_DRIVER: 'smtp', SMTP_URL: first.url } })
  const runs = app.db.collection('jobs.runs')
  const name = 'notifications.send-email'
  const [ann, bob, cy] = [await quickSignIn(app), await quickSignIn(app), await quickSignIn(app)]

  await first.close()
  await fire(app, [ann, bob])
  await until('it was tried', async () => await runs.countDocuments({ name, state: 'pending', starts: { $gt: 0 } }) > 0)
  await fire(app, [cy])
  await until('all wait', async () => await runs.countDocuments({ name, state: 'pending' }) === 3)
  await until('the last waits for the server', async () =>
    (await runs.find({ name }).sort({ _id: -1 }).limit(1).next())?.['heldBy'] === 'target')
  const waiting = await runs.find({ name }).sort({ _id: 1 }).toArray()
  t.same(waiting.map(({ target, attempt }) => `${target} ${attempt}`), ['smtp 0', 'smtp 0', 'smtp 0'])
  t.match(waiting.at(-1), { starts: 0, heldBy: 'target' }, 'the last was not even tried')
  t.match(waiting.flatMap(({ attempts }) => attempts)[0], { class: 'throttled', code: 'mail.not_accepted' })

  const again = await startSmtpSink({ port: Number(new URL(first.url).port) })
  t.teardown(again.close)
  await until('the mails arrive', async () => await runs.countDocuments({ name, state: 'done' }) === 3, 40_000)
  const taken = again.mails.flatMap(({ envelope }) => envelope.to)
  t.same(taken.sort(), [ann.email, bob.email, cy.email].sort(), 'one for each')
  t.equal(await runs.countDocuments({ name, attempt: { $gt: 0 } }), 0, 'no attempt was counted')
  t.equal(await app.db.collection('jobs.letters').countDocuments(), 0)
})
