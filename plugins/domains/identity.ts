import fp from 'fastify-plugin'
import type { Environment } from '../../src/config/index.ts'
import {
  IdentityError, codeRequested, collections, createIdentity, createRepositories, endSession, permissions, schemas,
  sessionOpened, sessionRevoked, userCreated, workspaceCreated, type IdentityService
} from '../../src/identity/index.ts'
import type { KeyRing, MasterKey } from '../../src/kernel/index.ts'

export interface IdentityOptions {
  masterKeys: readonly MasterKey[]
  environment: Environment
  publicUrl: string
}

declare module 'fastify' {
  interface FastifyInstance {
    identity: IdentityService
    keyRing: KeyRing
  }
}

export default fp<IdentityOptions>(async function identity (app, { masterKeys }) {
  app.declare({
    domain: 'identity',
    errors: IdentityError,
    events: [userCreated, workspaceCreated, sessionOpened, sessionRevoked, codeRequested],
    subscribers: [endSession],
    permissions,
    collections,
    schemas
  })
  const repositories = createRepositories(app.db)
  const { service, keyRing, authenticator } = createIdentity({
    repositories,
    masterKeys,
    permissions: () => app.registry.permissions,
    isRedisReady: () => app.redis.status === 'ready',
    scripts: app.scripts,
    events: app.events,
    bus: app.bus,
    tx: app.tx,
    clock: app.clock,
    log: app.log
  })
  app.decorate('identity', service)
  app.setWorkspaceDirectory(repositories.workspaces)
  app.decorate('keyRing', keyRing)
  if (app.hasDecorator('setAuthenticator')) app.setAuthenticator(authenticator)

  const reapply = (): void => {
    service.reapplyRevocations().catch((err: unknown) => {
      app.log.warn(
        { err }, 'revocations were not applied again'
      )
    })
  }
  // `ready` comes again only after the connection was lost: Redis may have forgotten its last second.
  app.addHook('onReady', async () => { app.redis.on('ready', reapply) })
  app.addHook('onClose', async () => { app.redis.off('ready', reapply) })
}, { name: 'identity', dependencies: ['errors', 'mongo', 'cache', 'pubsub', 'queue', 'events'] })
