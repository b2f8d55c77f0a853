import fp from 'fastify-plugin'
import { createTransport, type Transporter } from 'nodemailer'
import type { MailCapture, SendMail } from '../src/kernel/index.ts'
import { classify } from './mail/classify.ts'
import { compose } from './mail/compose.ts'
import { MailError } from './mail/errors.ts'
import { watchBodies, watched } from './mail/progress.ts'

export interface MailOptions { driver: 'smtp' | 'capture', url: string, from: string, offline?: boolean }

declare module 'fastify' {
  interface FastifyInstance {
    sendMail: SendMail
    captureMails (capture: MailCapture): void
  }
}

export default fp<MailOptions>(async function mail (app, { driver, url, from, offline = false }) {
  let capture: MailCapture | undefined
  app.declare({ domain: 'mail', errors: MailError })
  app.decorate('captureMails', (bound: MailCapture) => { capture = bound })
  if (driver === 'capture' || offline) {
    app.decorate('sendMail', async (mail) => {
      compose(mail, from)
      if (capture === undefined) throw new Error('the capture driver has nobody who keeps mails')
      await capture(mail)
    })
    return
  }
  const transport = await connect(url)
  app.addHook('onClose', () => { transport.close() })
  app.decorate('sendMail', async (mail) => { await deliver(transport, compose(mail, from)) })
}, { name: 'mail', dependencies: ['errors'] })

async function deliver (transport: Transporter, message: ReturnType<typeof compose>): Promise<void> {
  const progress = { isWhole: false }
  try {
    await transport.sendMail(watched(message, progress))
  } catch (cause) {
    throw classify(cause, progress)
  }
}

async function connect (url: string): Promise<Transporter> {
  const transport = createTransport({
    url,
    pool: true,
    disableFileAccess: true,
    disableUrlAccess: true,
    connectionTimeout: 10_000,
    greetingTimeout: 10_000,
    socketTimeout: 30_000
  })
  watchBodies(transport)
  try {
    await transport.verify()
    return transport
  } catch (cause) {
    transport.close()
    throw new Error(
      `SMTP_URL: no mail server takes us at ${new URL(url).host}. Start one, or set MAIL_DRIVER=capture.`, { cause })
  }
}
