import fp from 'fastify-plugin'
import type { SafeFetch } from '../src/kernel/index.ts'
import { FetchError } from '../src/fetch/index.ts'

declare module 'fastify' {
  interface FastifyInstance { fetch: SafeFetch }
}

export interface FetchOptions {
  allow: readonly string[]
  contact: string
  version: string
  scratchDir: string
  offline: boolean
}

export default fp<FetchOptions>(async function fetch (app) {
  app.declare({ domain: 'fetch', errors: FetchError })
  const refuse = async (): Promise<never> => { throw FetchError.connect_failed() }
  app.decorate('fetch', { buffer: refuse, stream: refuse, check: refuse, download: refuse })
}, { name: 'fetch', dependencies: ['errors', 'mongo', 'queue', 'events', 'breaker'] })
