import type { FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { createCursors, createSigner, type Cursors, type MasterKey } from '../../src/kernel/index.ts'
import { parseJson } from './negotiation/json.ts'

export interface NegotiationOptions { masterKeys: readonly MasterKey[] }

declare module 'fastify' {
  interface FastifyInstance { cursors: Cursors }
}

export default fp<NegotiationOptions>(async function negotiation (app, { masterKeys }) {
  app.decorate('cursors', createCursors(createSigner(masterKeys, 'cursors')))
  app.removeAllContentTypeParsers()
  for (const type of ['application/json', 'application/merge-patch+json']) {
    app.addContentTypeParser(type, { parseAs: 'buffer' }, (_request: FastifyRequest, body: Buffer, done) => {
      let value: unknown
      try {
        value = parseJson(body)
      } catch (error) {
        done(error as Error)
        return
      }
      done(null, value)
    })
  }
}, { name: 'negotiation', dependencies: ['errors', 'auth'] })
