import type { FastifyInstance } from 'fastify'
import type { Static, TSchema } from 'typebox'
import type {
  DomainEvent, EventHandler, EventsHandler, JobDefinition, JobHandler, SubscriberDefinition
} from '../../src/kernel/index.ts'
import type { Bindings } from './bindings.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** Binds the handler of a job; in workers. */
    handleJob<D extends TSchema, R extends TSchema> (
      job: JobDefinition<D, R>, handler: JobHandler<Static<D>, Static<R>>): void
    /** Binds the handler of a subscriber; in workers. */
    onEvent<T extends TSchema> (subscriber: SubscriberDefinition<T>, handler: EventHandler<Static<T>>): void
    /** Binds what a subscriber does with events that go together; in workers. */
    onEvents<T extends TSchema> (subscriber: SubscriberDefinition<T>, handler: EventsHandler<Static<T>>): void
  }
}

/** How the entrypoint of a worker says who does what. */
export function decorateBinding (app: FastifyInstance, role: 'server' | 'worker', bindings: Bindings): void {
  function requireWorker (): void {
    if (role !== 'worker') throw new Error('handlers are bound in workers only')
  }
  app.decorate('handleJob', ((job: JobDefinition, handler: JobHandler) => {
    requireWorker()
    bindings.job(job, handler)
  }) as typeof app.handleJob)
  app.decorate('onEvent', ((subscriber: SubscriberDefinition, handler: EventHandler<DomainEvent>) => {
    requireWorker()
    bindings.subscriber(subscriber, handler as EventHandler)
  }) as typeof app.onEvent)
  app.decorate('onEvents', ((subscriber: SubscriberDefinition, handler: EventsHandler) => {
    requireWorker()
    bindings.together(subscriber, handler)
  }) as typeof app.onEvents)
}
