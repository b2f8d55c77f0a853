import { BlockList, isIP } from 'node:net'
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { HttpError } from '../../src/kernel/index.ts'
import { ref } from '../../src/kernel/schemas.ts'
import { CapturedMailListSchema } from '../../src/notifications/index.ts'

const loopback = new BlockList()
loopback.addSubnet('127.0.0.0', 8, 'ipv4')
loopback.addAddress('::1', 'ipv6')

const routes: FastifyPluginAsyncTypebox = async (app) => {
  app.get('/captured-mails', {
    schema: {
      operationId: 'listCapturedMails',
      tags: ['notifications'],
      summary: 'Mails kept instead of sent, the newest first; only where no mail server is configured',
      querystring: Type.Object({ to: Type.Optional(Type.String({ maxLength: 254 })) }, { additionalProperties: false }),
      response: { 200: ref(CapturedMailListSchema) }
    },
    config: { auth: { public: 'The first person reads the code of the first sign-up here.' }, limit: 'free' }
  }, async (request) => {
    // Peer and Host both: a page of another origin cannot reach in by a name that resolves to us.
    if (!isLoopback(request.socket.remoteAddress) || !isLocalHost(request.hostname)) throw HttpError.route_not_found()
    return { data: await app.notifications.listCapturedMails(request.query.to) }
  })
}

function isLoopback (address: string | undefined): boolean {
  const plain = address?.replace(/^::ffff:/, '') ?? ''
  const family = isIP(plain)
  return family !== 0 && loopback.check(plain, family === 6 ? 'ipv6' : 'ipv4')
}

function isLocalHost (name: string): boolean {
  const bare = name.replace(/^\[|\]$/g, '')
  return bare === 'localhost' || bare.endsWith('.localhost') || isLoopback(bare)
}

export default routes
