import type { FastifyPluginAsync, FastifyReply, FastifyRequest, RouteOptions } from 'fastify'
import fp from 'fastify-plugin'
import {
  actorRef, anonymousActor, type Actor, type Authenticator, type RateClass, type RouteAuth
} from '../../src/kernel/index.ts'
import { refuse } from './auth/refusals.ts'
import { judgeRoutes } from './auth/routes.ts'

export interface MountOptions { auth: RouteAuth, limit: RateClass, hide: boolean }

declare module 'fastify' {
  interface FastifyInstance {
    setAuthenticator (authenticator: Authenticator): void
    authenticator (): Authenticator
    /** Registers a foreign router below a prefix and declares auth, limit and hide for all its routes. */
    mount (prefix: string, router: FastifyPluginAsync, options: MountOptions): Promise<void>
  }
  interface FastifyRequest { actor: Actor }
  interface FastifyContextConfig {
    auth?: RouteAuth
    /** Set by `mount`: nothing but auth and limit is asked of it. */
    isForeign?: boolean
  }
}

export default fp(async function auth (app) {
  const routes: RouteOptions[] = []
  let provided: Authenticator | undefined

  function authenticator (): Authenticator {
    if (provided !== undefined) return provided
    throw new Error('identity: no authenticator was provided; switch the domain identity on')
  }

  function admit (request: FastifyRequest, reply: FastifyReply, actor: Actor): Error | undefined {
    request.actor = actor
    const { auth: declared } = request.context.config
    if (declared === undefined || 'public' in declared) return app.takeLimit(request, reply)
    request.context.actor = actorRef(actor)
    return refuse(declared, actor, app.registry, app.clock.ms) ?? app.takeLimit(request, reply)
  }

  app.decorateRequest('actor', null as unknown as Actor)
  app.decorate('authenticator', authenticator)
  app.decorate('setAuthenticator', (given: Authenticator) => {
    if (provided !== undefined) throw new Error('two authenticators were provided')
    provided = given
  })
  app.decorate('mount', async (
    prefix: string, router: FastifyPluginAsync, { auth: declared, limit, hide }: MountOptions
  ) => {
    await app.register(async (child) => {
      child.addHook('onRoute', (route) => {
        route.config = { ...route.config, auth: declared, limit, isForeign: true }
        route.schema = { ...route.schema, hide } as never
      })
      await child.register(router)
    }, { prefix })
  })

  app.addHook('onRoute', (route) => { routes.push(route) })
  app.addHook('onReady', async () => {
    const problems = judgeRoutes(routes, app.registry)
    if (routes.some(({ config }) => config?.auth !== undefined && 'by' in config.auth)) authenticator()
    if (problems.length > 0) throw new Error(`Routes are not declared as they must be:\n  - ${problems.join('\n  - ')}`)
  })
  app.addHook('onRequest', (request, reply, done) => {
    const { auth: declared } = request.context.config
    const { id: requestId, ip, raw: { headers } } = request
    const from = { requestId, ip, userAgent: headers['user-agent'] ?? null }
    if (declared === undefined || 'public' in declared) {
      done(admit(request, reply, anonymousActor(from)))
      return
    }
    const proof = {
      token: bearer(headers.authorization),
      requestId,
      ip,
      userAgent: from.userAgent,
      mayChangePassword: declared.isOpenBeforePasswordChange === true
    }
    const judge = authenticator()
    const known = judge.known?.(proof)
    if (known !== undefined) {
      done(admit(request, reply, known))
      return
    }
    judge.authenticate(proof).then(
      (actor) => { done(admit(request, reply, actor)) }, (error: Error) => { done(error) })
  })
}, { name: 'auth', dependencies: ['errors', 'mongo', 'context', 'rate-limit'] })

const blank = 32

/** The token of the header, or an empty text, which the authenticator refuses as missing. */
function bearer (header: string | undefined): string {
  if (header === undefined) return ''
  // Nearly everybody spells it so; what comes behind more blanks goes the long way.
  if (header.startsWith('Bearer ') && header.charCodeAt(7) !== blank) return header.slice(7)
  return /^bearer /i.test(header) ? header.slice(7).trim() : ''
}
