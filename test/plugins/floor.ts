// The HTTP floor alone: no stores, no domains, routes of the test, an authenticator that knows three tokens.
import type { FastifyInstance, FastifyPluginAsync } from 'fastify'
import fp from 'fastify-plugin'
import type { Test } from 'tap'
import { Type } from 'typebox'
import auth from '../../plugins/http/auth.ts'
import context from '../../plugins/http/context.ts'
import headers from '../../plugins/http/headers.ts'
import health from '../../plugins/http/health.ts'
import negotiation from '../../plugins/http/negotiation.ts'
import openapi from '../../plugins/http/openapi.ts'
import pages from '../../plugins/http/pages.ts'
import rateLimit from '../../plugins/http/rate-limit.ts'
import { createApp } from '../../plugins/http/server-options.ts'
import errors from '../../plugins/errors.ts'
import telemetry from '../../plugins/telemetry.ts'
import { defineErrors, definePermissions, type Actor, type Authenticator } from '../../src/kernel/index.ts'
import { loadConfig } from '../../src/config/index.ts'

const environment = {
  NODE_ENV: 'test',
  LOG_LEVEL: 'silent',
  MASTER_KEYS: `k1:${Buffer.from(Array.from({ length: 32 }, (_, index) => index * 7 + 1)).toString('hex')}`
}

const TestIdentityError = defineErrors('identity', {
  token_missing: { kind: 'unauthenticated', message: 'A token is needed.' },
  token_invalid: { kind: 'unauthenticated', message: 'The token is not valid.' },
  permission_denied: { kind: 'forbidden', message: 'You may not do this.' }
})

const permissions = definePermissions('test', {
  'thing:read': { kind: 'read', roles: ['owner'], sentence: 'See things.' }
})

/** Knows three tokens: `ann` may all, `bob` nothing, `old` all with a proof of an hour ago. */
const authenticator: Authenticator = {
  async authenticate ({ token, requestId, ip, userAgent }) {
    if (token === '') throw TestIdentityError.token_missing()
    if (!['ann', 'bob', 'old'].includes(token)) throw TestIdentityError.token_invalid()
    const actor: Actor = {
      kind: 'user', id: token, userId: token, workspaceId: 'w1', roles: [], sessionId: 's', deviceId: null, gen: 1,
      amr: [], authTime: Date.now() / 1000 - (token === 'old' ? 3600 : 1), pv: 1, requestId, ip, userAgent,
      can: () => token !== 'bob'
    }
    return Object.freeze(actor)
  },
  expiresInS: () => 60
}

const clockOnly = fp(async (app) => {
  app.decorate('clock', { now: () => new Date(), ms: () => Date.now() })
}, { name: 'mongo' })

interface Extras {
  /** What stands for the floor `mongo`; a clock where nothing else is needed. */
  stores?: FastifyPluginAsync
  /** Registers more plugins before the routes. */
  more?: (app: FastifyInstance) => Promise<void>
}

/** An app with these routes, ready. */
export async function floor (
  t: Test, routes: (app: FastifyInstance) => void, env: Record<string, string> = {}, {
    stores = clockOnly, more
  }: Extras = {}
): Promise<FastifyInstance> {
  const config = loadConfig({ ...environment, ...env })
  const app = createApp({ role: 'server', config, offline: false })
  t.teardown(async () => { await app.close() })
  await app.register(telemetry, { role: 'server', version: '0' })
  await app.register(errors)
  await app.register(stores)
  await app.register(context)
  await app.register(headers, { publicUrl: 'https://ours.test', origins: ['https://friend.test'] })
  await app.register(rateLimit, config.http)
  await app.register(auth)
  await app.register(negotiation, { masterKeys: config.masterKeys })
  await app.register(openapi, { version: '0', publicUrl: '' })
  await app.register(pages, { mails: 'capture' })
  await app.register(health)
  app.declare({ domain: 'test', errors: TestIdentityError, permissions })
  app.setAuthenticator(authenticator)
  await more?.(app)
  await app.register(async (child) => { routes(child) })
  await app.ready()
  return app
}

/** Declaration of a route for everybody. */
export const open = { auth: { public: 'A route of the tests, for everybody.' }, limit: 'free' } as const
/** Declaration of a route for `ann` and `old`. */
export const mine = { auth: { by: ['session'], permission: 'test:thing:read' }, limit: 'read' } as const
let nth = 0
/** What every route says about itself. */
export function words (): { operationId: string, tags: string[], summary: string, response: object } {
  return { operationId: `operation${++nth}`, tags: ['test'], summary: 'Answer what came', response: { 200: {} } }
}

export const Body = Type.Object({
  name: Type.String({ maxLength: 20 }),
  count: Type.Optional(Type.Integer()),
  tags: Type.Optional(Type.Array(Type.String({ maxLength: 9 }), { maxItems: 3 }))
}, { additionalProperties: false })

const Query = Type.Object({
  limit: Type.Optional(Type.Integer({ maximum: 9 }))
}, { additionalProperties: false })

/** Routes that answer what they got. */
export function echo (app: FastifyInstance): void {
  app.post('/things', { schema: { ...words(), body: Body }, config: open }, async (request) => request.body)
  app.get('/things', {
    schema: { ...words(), querystring: Query },
    config: open
  }, async (request) => ({ query: request.query }))
}
