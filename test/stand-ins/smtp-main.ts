import { parseArgs } from 'node:util'
import Fastify from 'fastify'
import { runAsProcess } from './process.ts'
import { startSmtpSink, type Refusal } from './smtp.ts'

/** The ready line of this process: `url` for SMTP_URL, `control` for GET /mails and POST /refuse. */
export interface SmtpReady {
  url: string
  control: string
}

const { values } = parseArgs({
  options: { port: { type: 'string', default: '0' }, 'control-port': { type: 'string', default: '0' } }
})

await runAsProcess(async () => {
  const sink = await startSmtpSink({ port: Number(values.port) })
  const app = Fastify({ forceCloseConnections: true })

  app.get('/mails', async ({ query }) => {
    const { to, since = '0' } = query as { to?: string, since?: string }
    return {
      items: sink.mails.filter((mail) => mail.n > Number(since) && (to === undefined || mail.envelope.to.includes(to)))
    }
  })

  app.get('/mails/next', async ({ query }, reply) => {
    const { to, since = '0', timeoutMs = '10000' } = query as { to?: string, since?: string, timeoutMs?: string }
    return await sink.waitFor((mail) => mail.n > Number(since) && (to === undefined || mail.envelope.to.includes(to)),
      Number(timeoutMs)).catch((error: Error) => reply.code(404).send({ error: error.message }))
  })

  app.post('/refuse', async ({ body }) => {
    sink.refuse(body as Refusal)
    return { isSet: true }
  })

  const control = await app.listen({ host: '127.0.0.1', port: Number(values['control-port']) })
  return {
    ready: { url: sink.url, control },
    close: async () => { await Promise.all([app.close(), sink.close()]) }
  }
})
