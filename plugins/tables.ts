import fp from 'fastify-plugin'
import type { Tables } from '../src/kernel/index.ts'
import { createTables } from './tables/writers.ts'

declare module 'fastify' {
  interface FastifyInstance { tables: Tables }
}

export default fp(async function tables (app) {
  app.decorate('tables', createTables())
}, { name: 'tables' })
