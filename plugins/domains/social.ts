import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { presentProgress } from '../../src/fetch/index.ts'
import { isDomainError, systemActor } from '../../src/kernel/index.ts'
import {
  SocialError, accountTopic, analytics, collections, createDailyReport, createSocialRepositories, createSocialService,
  downloadsTopic, events, feedTopic, jobs, permissions, schemas, subscribers, topics, type SocialService
} from '../../src/social/index.ts'

export interface SocialOptions { publicUrl: string, contact: string }

declare module 'fastify' {
  interface FastifyInstance { social: SocialService }
}

export default fp<SocialOptions>(async function social (app, { publicUrl }) {
  const repositories = createSocialRepositories(app.db)
  app.declare({
    domain: 'social',
    errors: SocialError,
    events,
    subscribers,
    jobs,
    topics,
    permissions,
    analytics,
    collections,
    reports: [createDailyReport(repositories.reports)],
    schemas
  })
  const { fetch, breakers, keyRing, jobs: sender, live, bus, tx, clock } = app
  const service = createSocialService({
    repositories,
    fetch,
    breakers,
    keyRing,
    events: app.events,
    jobs: sender,
    live,
    bus,
    tx,
    clock,
    publicUrl: () => publicUrl === '' ? app.listeningOrigin : publicUrl,
    isLive: async (workspaceId, runId) => await isLive(app, workspaceId, runId),
    links: async (workspaceId, fileIds) => await app.media.links(workspaceId, fileIds),
    downloads: async (actor, ids) => await app.downloads.many(actor, ids)
  })
  app.decorate('social', service)
  bindTopics(app, service)
}, { name: 'social', dependencies: ['mongo', 'pubsub', 'queue', 'events', 'breaker', 'fetch', 'identity', 'media'] })

function bindTopics ({ live }: FastifyInstance, service: SocialService): void {
  live.bind(accountTopic, {
    collection: 'social.accounts',
    params: async (documents) => documents.map(({ _id }) => [_id]),
    present: service.presentAccountKeys
  })
  live.bind(feedTopic, { outbox: true })
  live.bind(downloadsTopic, {
    collection: 'fetch.downloads',
    match: { purpose: 'photo' },
    params: service.accountsOfDownloads,
    present: (document) => [{ kind: 'download', key: document._id, data: presentProgress(document) }],
    unfinished: { isActive: true }
  })
}

/** Whether the run has not ended; one that is not kept any more has. */
async function isLive (app: FastifyInstance, workspaceId: string, runId: string): Promise<boolean> {
  try {
    const { state } = await app.runs.operation(
      systemActor('social', workspaceId), runId)
    return state === 'pending' || state === 'running'
  } catch (error) {
    if (isDomainError(error, 'jobs.run_not_found')) return false
    throw error
  }
}
