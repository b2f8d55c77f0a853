import fp from 'fastify-plugin'
import type { KeyRing, MasterKey } from '../../src/kernel/index.ts'
import type { Environment } from '../../src/config/index.ts'
import { IdentityError, type IdentityService } from '../../src/identity/index.ts'

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

export default fp<IdentityOptions>(async function identity (app) {
  app.declare({ domain: 'identity', errors: IdentityError })
  app.decorate('keyRing', {} as KeyRing)
  app.decorate('identity', {} as IdentityService)
}, { name: 'identity', dependencies: ['errors', 'mongo', 'cache', 'pubsub', 'queue', 'events'] })
