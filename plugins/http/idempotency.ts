import type { FastifyReply, FastifyRequest, preHandlerAsyncHookHandler, onSendAsyncHookHandler } from 'fastify'
import fp from 'fastify-plugin'
import { HttpError, currentContext, type Context } from '../../src/kernel/index.ts'
import {
  createIdempotencyRepository, createIdempotencyService, idempotencyCollections, type Held, type StoredAnswer
} from '../../src/system/index.ts'
import { callOf, headersOf, isKept, keyOf } from './idempotency/calls.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** `required`: 400 without an Idempotency-Key; `optional`: obeyed where one is sent. */
    idempotency?: 'required' | 'optional'
  }
}

export default fp(async function idempotency (app) {
  const service = createIdempotencyService({ keys: createIdempotencyRepository(app.db), clock: app.clock })
  const held = new WeakMap<Context, Held>()

  const claim: preHandlerAsyncHookHandler = async (request, reply) => {
    const key = keyOf(request)
    const isRequired = request.routeOptions.config.idempotency === 'required'
    if (key === undefined && isRequired) throw HttpError.idempotency_key_missing()
    // Nobody's key could be anybody's: without a principal there is nothing to replay.
    if (key === undefined || request.actor.id === '') return
    const begun = await service.begin(callOf(request, key))
    if (begun.kind === 'new') held.set(request.context, begun.held)
    else if (begun.kind === 'replay') return replay(reply, begun.answer)
    else return await reply.code(303).header('location', begun.location).send()
  }

  const keep: onSendAsyncHookHandler = async (request: FastifyRequest, reply, payload) => {
    const mine = held.get(request.context)
    if (mine === undefined) return
    held.delete(request.context)
    const body = payload ?? ''
    if (!isKept(reply.statusCode, body)) await service.release(mine)
    else {
      await service.finish(mine, {
        status: reply.statusCode, headers: headersOf(reply.getHeaders()), body: Buffer.from(body)
      })
    }
  }

  app.declare({ domain: 'system.idempotency', collections: idempotencyCollections })
  app.tx.join({
    name: 'idempotency',
    async beforeCommit (session) {
      const context = currentContext()
      const mine = context === undefined ? undefined : held.get(context)
      if (mine !== undefined) await service.effect(session, mine)
    }
  })
  app.addHook('onRoute', (route) => {
    if (route.config?.idempotency === undefined) return
    route.preHandler = [claim, ...[route.preHandler ?? []].flat()]
    route.onSend = [...[route.onSend ?? []].flat(), keep]
  })
}, { name: 'idempotency', dependencies: ['errors', 'mongo', 'auth', 'negotiation'] })

async function replay (reply: FastifyReply, { status, headers, body }: StoredAnswer): Promise<FastifyReply> {
  return await reply.code(status).headers(headers).header('idempotency-replayed', 'true').send(body)
}
