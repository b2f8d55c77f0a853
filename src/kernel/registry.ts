import type { TSchema } from 'typebox'
import type { AnalyticsMapping } from './analytics.ts'
import type { PermissionDefinition } from './auth.ts'
import type { ErrorDefinition, ErrorTable } from './errors.ts'
import type { EventDefinition, SubscriberDefinition } from './events.ts'
import type { CollectionDefinition } from './indexes.ts'
import type { InvariantDefinition } from './invariants.ts'
import type { JobDefinition } from './jobs.ts'
import type { ResourceDefinition } from './resources.ts'
import type { ScheduleDefinition } from './schedules.ts'
import { projectorsOf, type ProjectionDefinition } from './projections.ts'
import type { ReportDefinition } from './reports.ts'
import type { RetentionDefinition } from './retention.ts'
import type { TopicDefinition } from './topics.ts'

/** What a domain or slice declares as data; handed to the app by its plugin, in every process. */
export interface Declarations {
  domain: string
  errors?: ErrorTable
  events?: readonly EventDefinition[]
  subscribers?: readonly SubscriberDefinition[]
  jobs?: readonly JobDefinition[]
  resources?: readonly ResourceDefinition[]
  schedules?: readonly ScheduleDefinition[]
  topics?: readonly TopicDefinition[]
  permissions?: readonly PermissionDefinition[]
  analytics?: readonly AnalyticsMapping[]
  collections?: readonly CollectionDefinition[]
  retentions?: readonly RetentionDefinition[]
  invariants?: readonly InvariantDefinition[]
  reports?: readonly ReportDefinition[]
  /** Their subscribers are declared with them. */
  projections?: readonly ProjectionDefinition[]
  /** Components of the OpenAPI document; each has an `$id`. */
  schemas?: readonly TSchema[]
}

/** Everything that was declared, by name. A name declared twice throws with both places. */
export interface Registry {
  errors: ReadonlyMap<string, ErrorDefinition>
  events: ReadonlyMap<string, EventDefinition>
  subscribers: ReadonlyMap<string, SubscriberDefinition>
  jobs: ReadonlyMap<string, JobDefinition>
  resources: ReadonlyMap<string, ResourceDefinition>
  schedules: ReadonlyMap<string, ScheduleDefinition>
  topics: ReadonlyMap<string, TopicDefinition>
  permissions: ReadonlyMap<string, PermissionDefinition>
  analytics: readonly AnalyticsMapping[]
  collections: ReadonlyMap<string, CollectionDefinition>
  retentions: ReadonlyMap<string, RetentionDefinition>
  invariants: ReadonlyMap<string, InvariantDefinition>
  reports: ReadonlyMap<string, ReportDefinition>
  projections: ReadonlyMap<string, ProjectionDefinition>
  schemas: ReadonlyMap<string, TSchema>
  declare (declarations: Declarations): void
}

export function createRegistry (): Registry {
  const owners = new Map<string, string>()
  const analytics: AnalyticsMapping[] = []
  const maps = {
    errors: new Map<string, ErrorDefinition>(),
    events: new Map<string, EventDefinition>(),
    subscribers: new Map<string, SubscriberDefinition>(),
    jobs: new Map<string, JobDefinition>(),
    resources: new Map<string, ResourceDefinition>(),
    schedules: new Map<string, ScheduleDefinition>(),
    topics: new Map<string, TopicDefinition>(),
    permissions: new Map<string, PermissionDefinition>(),
    collections: new Map<string, CollectionDefinition>(),
    retentions: new Map<string, RetentionDefinition>(),
    invariants: new Map<string, InvariantDefinition>(),
    reports: new Map<string, ReportDefinition>(),
    projections: new Map<string, ProjectionDefinition>(),
    schemas: new Map<string, TSchema>()
  }
  function add<T> (map: Map<string, T>, kind: string, name: string, value: T, domain: string): void {
    const owner = owners.get(`${kind} ${name}`)
    if (owner !== undefined) throw new Error(`${kind} ${name} is declared by ${owner} and by ${domain}`)
    owners.set(`${kind} ${name}`, domain)
    map.set(name, value)
  }
  return {
    ...maps,
    analytics,
    declare (declared) {
      const { domain } = declared
      function all<T> (map: Map<string, T>, kind: string, list: readonly T[] = [], nameOf: (one: T) => string): void {
        for (const one of list) add(map, kind, nameOf(one), one, domain)
      }
      const definitions = Object.values(declared.errors ?? {}).map(({ definition }) => definition)
      all(maps.errors, 'error', definitions, ({ code }) => code)
      all(maps.events, 'event', declared.events, named)
      all(maps.subscribers, 'subscriber', declared.subscribers, named)
      all(maps.jobs, 'job', declared.jobs, named)
      all(maps.resources, 'resource', declared.resources, named)
      all(maps.schedules, 'schedule', declared.schedules, named)
      all(maps.topics, 'topic', declared.topics, named)
      all(maps.permissions, 'permission', declared.permissions, named)
      all(maps.collections, 'collection', declared.collections, named)
      all(maps.retentions, 'retention', declared.retentions, named)
      all(maps.invariants, 'invariant', declared.invariants, named)
      all(maps.reports, 'report', declared.reports, named)
      all(maps.projections, 'projection', declared.projections, named)
      all(maps.subscribers, 'subscriber', declared.projections?.flatMap(projectorsOf), named)
      all(maps.schemas, 'schema', declared.schemas, componentName)
      analytics.push(...declared.analytics ?? [])
    }
  }
}

const named = ({ name }: { name: string }): string => name

function componentName (schema: TSchema): string {
  const { $id } = schema as { $id?: string }
  if ($id === undefined) throw new Error('a declared schema needs an $id')
  return $id
}
