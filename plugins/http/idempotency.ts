import fp from 'fastify-plugin'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** `required`: 400 without an Idempotency-Key; `optional`: obeyed where one is sent. */
    idempotency?: 'required' | 'optional'
  }
}

export default fp(async function idempotency () {
}, { name: 'idempotency', dependencies: ['errors', 'mongo', 'auth', 'negotiation'] })
