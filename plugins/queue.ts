import fp from 'fastify-plugin'
import type {
  EventHandler, JobDefinition, JobHandler, JobSender, Leases, SubscriberDefinition
} from '../src/kernel/index.ts'
import type { Static, TSchema } from 'typebox'
import { JobsError } from '../src/jobs/index.ts'

export interface QueueOptions {
  url: string
  prefix: string
  role: 'server' | 'worker'
  groups: readonly string[]
  partitions: number
  offline?: boolean
}

declare module 'fastify' {
  interface FastifyInstance {
    jobs: JobSender
    leases: Leases
    /** Binds the handler of a job; in workers. */
    handleJob<D extends TSchema, R extends TSchema> (
      job: JobDefinition<D, R>, handler: JobHandler<Static<D>, Static<R>>): void
    /** Binds the handler of a subscriber; in workers. */
    onEvent<T extends TSchema> (subscriber: SubscriberDefinition<T>, handler: EventHandler<Static<T>>): void
  }
}

export default fp<QueueOptions>(async function queue (app) {
  app.declare({ domain: 'jobs', errors: JobsError })
  app.decorate('jobs', {} as JobSender)
  app.decorate('leases', { hold () {}, async holder () { return null } })
  app.decorate('handleJob', () => {})
  app.decorate('onEvent', () => {})
}, { name: 'queue', dependencies: ['mongo', 'cache', 'pubsub'] })
