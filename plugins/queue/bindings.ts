import { policyOf, readPayload, subscriberQueue } from '../../src/jobs/index.ts'
import type {
  DomainEvent, EventHandler, EventsHandler, JobDefinition, JobHandler, Registry, SubscriberDefinition
} from '../../src/kernel/index.ts'
import type { Bound } from './execute.ts'

/** Handlers by the name of their runs; each declared name has exactly one (`jobs.md` 3.1). */
export function createBindings (registry: Registry) {
  const bound = new Map<string, Bound>()

  function add (one: Bound, isDeclared: boolean): void {
    if (!isDeclared) throw new Error(`${one.name} has a handler and is not declared`)
    if (bound.has(one.name)) throw new Error(`${one.name} has two handlers`)
    bound.set(one.name, one)
  }

  return {
    job (job: JobDefinition, handler: JobHandler): void {
      add({
        name: job.name,
        version: job.version,
        policy: policyOf(job),
        read: (version, data) => readPayload(job, version, data),
        run: async (ctx) => await handler(ctx)
      }, registry.jobs.get(job.name) === job)
    },

    subscriber (subscriber: SubscriberDefinition, handler: EventHandler): void {
      add({
        ...heard(subscriber),
        run: async (ctx) => { await handler(ctx.run.data as DomainEvent, ctx) }
      }, registry.subscribers.get(subscriber.name) === subscriber)
    },

    together (subscriber: SubscriberDefinition, handler: EventsHandler): void {
      const { name, together } = subscriber
      if (together === undefined) throw new Error(`${name} does not say how many events go together`)
      add({
        ...heard(subscriber),
        run: async (ctx) => {
          await ctx.commit(async (session) => { await handler(session, [ctx.run.data as DomainEvent]) })
        },
        together: {
          most: together.most,
          work: async (session, events) => { await handler(session, events as DomainEvent[]) }
        }
      }, registry.subscribers.get(name) === subscriber)
    },

    of: (name: string) => bound.get(name),
    handles: () => [...bound.values()].map(({ name, version }) => ({ name, version })),

    /** Throws with every declared job and subscriber that nobody handles. */
    check (): void {
      const missing = [...registry.jobs.keys(), ...registry.subscribers.keys()].filter((name) => !bound.has(name))
      if (missing.length > 0) throw new Error(`No handler for ${missing.join(', ')}: every worker binds all of them.`)
    }
  }
}

/** What a run of a subscriber is, whatever handles it. */
function heard ({ name, event: { version, data: schema, upcast } }: SubscriberDefinition): Omit<Bound, 'run'> {
  return {
    name,
    version,
    policy: policyOf({ queue: subscriberQueue, policy: {} }),
    read: (from, data) => {
      const stored = data as DomainEvent
      const reader = { name, version, data: schema, ...(upcast && { upcast }) }
      return { ...stored, data: readPayload(reader, from, stored.data) }
    }
  }
}

export type Bindings = ReturnType<typeof createBindings>
