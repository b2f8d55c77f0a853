import { readFile } from 'node:fs/promises'
import fp from 'fastify-plugin'
import {
  InboxTopic, NotificationsError, advanceRun, collections, createNotifications, createRepositories, fanOutTrigger,
  inboxChanged, messageFailed, messageSent, messageUnknown, parseTemplate, publishInbox, schemas, sendEmail,
  startAlertRaised, startAlertResolved, startVerifyEmail, templateKeys, type NotificationsService, type Templates
} from '../../src/notifications/index.ts'
import { deriveKey, type MasterKey } from '../../src/kernel/index.ts'

export interface NotificationsOptions {
  masterKeys: readonly MasterKey[]
  publicUrl: string
  mail: { driver: 'smtp' | 'capture', from: string }
}

declare module 'fastify' {
  interface FastifyInstance { notifications: NotificationsService }
}

export default fp<NotificationsOptions>(async function notifications (app, { masterKeys, publicUrl, mail }) {
  app.declare({
    domain: 'notifications',
    errors: NotificationsError,
    events: [inboxChanged, messageSent, messageFailed, messageUnknown],
    subscribers: [publishInbox, startAlertRaised, startAlertResolved, startVerifyEmail],
    jobs: [fanOutTrigger, advanceRun, sendEmail],
    topics: [InboxTopic],
    collections,
    schemas
  })
  const service = createNotifications({
    repositories: createRepositories(app.db),
    identity: app.identity,
    keyRing: app.keyRing,
    templates: await loadTemplates(),
    publicUrl,
    mail,
    hashKey: deriveKey(masterKeys[0] as MasterKey, 'address-hash'),
    sendMail: app.sendMail,
    events: app.events,
    jobs: app.jobs,
    live: app.live,
    tx: app.tx,
    clock: app.clock
  })
  app.decorate('notifications', service)
  app.captureMails(service.captureMail)
  app.live.bind(InboxTopic, {
    replay: async (params, from, limit) => await service.inbox.replay(params['userId'] as string, from, limit)
  })
}, { name: 'notifications', dependencies: ['identity', 'mail', 'queue', 'events', 'pubsub'] })

/** The shipped mails; the product reads `web/` as files. */
async function loadTemplates (): Promise<Templates> {
  const read = async (name: string): Promise<string> =>
    await readFile(new URL(`../../web/mail/${name}`, import.meta.url), 'utf8')
  const layout = await read('layout.html')
  const loaded = await Promise.all(templateKeys.map(async (key) =>
    [key, parseTemplate(await read(`${key}.txt`), await read(`${key}.html`), layout)] as const))
  return Object.fromEntries(loaded) as Templates
}
