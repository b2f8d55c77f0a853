import type { FastifyInstance } from 'fastify'
import type { Config } from '../src/config/index.ts'
import analytics from './analytics.ts'
import breaker from './breaker.ts'
import cache from './cache.ts'
import analyticsDomain from './domains/analytics.ts'
import identity from './domains/identity.ts'
import media from './domains/media.ts'
import notifications from './domains/notifications.ts'
import social from './domains/social.ts'
import errors from './errors.ts'
import events from './events.ts'
import fetch from './fetch.ts'
import auth from './http/auth.ts'
import board from './http/board.ts'
import context from './http/context.ts'
import headers from './http/headers.ts'
import health from './http/health.ts'
import idempotency from './http/idempotency.ts'
import negotiation from './http/negotiation.ts'
import openapi from './http/openapi.ts'
import pages from './http/pages.ts'
import rateLimit from './http/rate-limit.ts'
import sockets from './http/sockets.ts'
import { createApp } from './http/server-options.ts'
import images from './images.ts'
import mail from './mail.ts'
import mongo from './mongo.ts'
import pubsub from './pubsub.ts'
import queue from './queue.ts'
import type { OwnProcess } from './queue/own-process.ts'
import storage from './storage.ts'
import tables from './tables.ts'
import telemetry from './telemetry.ts'

export { startWorkerHealth } from './http/health.ts'
export { migrate } from './mongo/migrate.ts'
export { serveSolo } from './queue/solo-child.ts'

/** Groups decide which queues a worker consumes, and nothing else. */
export const groups = ['io', 'cpu', 'keeper'] as const
export type Group = typeof groups[number]

export interface BuildOptions {
  role: 'server' | 'worker'
  config: Config
  /** Only for workers; default all. Empty: consumes nothing, as a script does. */
  groups?: readonly Group[]
  /** Where the process is the worker's own. */
  own?: OwnProcess
  /** Decorates the same shape and touches no network: documents are made of it. */
  offline?: boolean
}

/** The app of a process: capabilities, domains, then routes or workers, in the order of the house. Not yet ready. */
export async function buildApp (
  { role, config, groups: chosen = groups, own, offline = false }: BuildOptions
): Promise<FastifyInstance> {
  const app = createApp({ role, config, offline })
  await capabilities(app, { role, config, groups: role === 'worker' ? chosen : [], offline, ...(own && { own }) })
  if (role === 'server') await http(app, { config, offline })
  await domains(app, config)
  await app.register(role === 'server' ? import('../routes/index.ts') : import('../workers/index.ts'), { config })
  return app
}

interface Floor {
  role: 'server' | 'worker'
  config: Config
  groups: readonly Group[]
  own?: OwnProcess
  offline: boolean
}

async function capabilities (app: FastifyInstance, { role, config, groups, own, offline }: Floor): Promise<void> {
  await app.register(telemetry, { role, version: config.version })
  await app.register(errors, { publicUrl: config.http.publicUrl })
  await app.register(mongo, { ...config.mongo, role, offline })
  await app.register(cache, { ...config.redis, environment: config.environment, offline })
  await app.register(pubsub, { ...config.redis, offline })
  await app.register(queue, {
    ...config.redis, role, groups, partitions: config.jobs.partitions, codeVersion: config.version, offline,
    limits: { shutdownMs: config.jobs.shutdownMs }, drainS: config.jobs.drainS, standing: config.jobs,
    ...(own && { own })
  })
  await app.register(events, { offline })
  await app.register(breaker)
  await app.register(fetch, { ...config.fetch, version: config.version, scratchDir: config.scratchDir, offline })
  await app.register(storage, { offline })
  await app.register(tables)
  if (role === 'worker') await app.register(images, { offline })
  await app.register(mail, { ...config.mail, offline })
  await app.register(analytics)
}

async function http (app: FastifyInstance, { config, offline }: { config: Config, offline: boolean }): Promise<void> {
  await app.register(context)
  await app.register(headers, { publicUrl: config.http.publicUrl, origins: config.live.origins })
  await app.register(rateLimit, { ...config.http })
  await app.register(auth)
  await app.register(negotiation, { masterKeys: config.masterKeys })
  await app.register(openapi, { version: config.version, publicUrl: config.http.publicUrl })
  await app.register(pages, { mails: config.mail.driver })
  await app.register(idempotency)
  await app.register(sockets, { ...config.live, publicUrl: config.http.publicUrl, offline })
  await app.register(board, { offline })
  await app.register(health, { offline })
}

async function domains (app: FastifyInstance, config: Config): Promise<void> {
  const on = new Set(config.domains)
  if (on.has('identity')) {
    const { masterKeys, environment } = config
    await app.register(identity, { masterKeys, environment, publicUrl: config.http.publicUrl })
  }
  if (on.has('media')) await app.register(media, { masterKeys: config.masterKeys, publicUrl: config.http.publicUrl })
  if (on.has('notifications')) {
    const { masterKeys, mail } = config
    await app.register(notifications, { masterKeys, publicUrl: config.http.publicUrl, mail })
  }
  if (on.has('social')) await app.register(social, { publicUrl: config.http.publicUrl, contact: config.fetch.contact })
  // Last: it counts events that the domains before it declare.
  if (on.has('analytics')) await app.register(analyticsDomain)
}
