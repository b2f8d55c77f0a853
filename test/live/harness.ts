// A hub without domains: topics of its own, any store, several processes in one test.
import { randomBytes } from 'node:crypto'
import Fastify, { type FastifyInstance } from 'fastify'
import { Redis } from 'ioredis'
import { MongoClient } from 'mongodb'
import { Type } from 'typebox'
import cache from '../../plugins/cache.ts'
import errors from '../../plugins/errors.ts'
import auth from '../../plugins/http/auth.ts'
import context from '../../plugins/http/context.ts'
import headers from '../../plugins/http/headers.ts'
import rateLimit from '../../plugins/http/rate-limit.ts'
import sockets from '../../plugins/http/sockets.ts'
import type { SocketsOptions } from '../../plugins/http/sockets/hub.ts'
import mongo from '../../plugins/mongo.ts'
import { migrate } from '../../plugins/mongo/migrate.ts'
import pubsub from '../../plugins/pubsub.ts'
import queue from '../../plugins/queue.ts'
import telemetry from '../../plugins/telemetry.ts'
import live from '../../routes/live.ts'
import {
  defineErrors, defineTopic, systemActor, type Actor, type DocumentBinding, type ReplayItem
} from '../../src/kernel/index.ts'
import { testStores } from '../stores.ts'

export { dial, signedIn, type Client, type Frame } from './client.ts'
export { ownRedis, until, type OwnRedis } from './own-redis.ts'

const Any = Type.Unknown()

export const topics = {
  events: defineTopic('test.events:{roomId}', { class: 'event', source: 'outbox', kinds: { item: Any } }),
  short: defineTopic('test.short:{roomId}', {
    class: 'event', source: 'outbox', kinds: { item: Any }, history: { count: 3, ttlMs: 60_000 }
  }),
  state: defineTopic('test.state:{roomId}', { class: 'state', source: 'outbox', kinds: { value: Any } }),
  metrics: defineTopic('test.metrics:{roomId}', {
    class: 'state', source: 'lossy', kinds: { value: Any }, rate: { perKeyPerSec: 5, edges: ['state'] }
  }),
  log: defineTopic('test.log:{roomId}', { class: 'durable', source: 'outbox', kinds: { item: Any } }),
  files: defineTopic('test.files:{ownerId}', {
    class: 'state', source: 'document', kinds: { file: Any }, rate: { perKeyPerSec: 5, edges: ['state'] }
  }),
  inbox: defineTopic('test.inbox:{userId}', { class: 'durable', source: 'outbox', kinds: { item: Any }, auto: 'user' })
}

const TestError = defineErrors('test', {
  token_expired: { kind: 'unauthenticated', message: 'The token is past its time.' },
  token_invalid: { kind: 'unauthenticated', message: 'There is no such token.' },
  not_yours: { kind: 'not_found', message: 'There is no such room.' }
})

/** What the tests change while sockets are open. */
export interface World {
  ended: Set<string>
  banned: Set<string>
  ttlS: number
  /** The durable log of each room, as a domain would keep it. */
  log: Map<string, ReplayItem[]>
  replays: number
}

export interface Setup {
  database: string
  prefix: string
  redisUrl: string
  world: World
  open (options?: NodeOptions): Promise<Node>
}

export interface NodeOptions { sockets?: Partial<SocketsOptions>, hasSockets?: boolean, redisUrl?: string }
export interface Node { app: FastifyInstance, url: string, close (): Promise<void> }

interface Teardown { teardown (undo: () => unknown): unknown }

/** A database and a prefix of its own, and as many processes as the test opens. */
export function setUp (t: Teardown, { redisUrl = testStores().redisUrl }: { redisUrl?: string } = {}): Setup {
  const name = `live${randomBytes(6).toString('hex')}`
  const nodes: Node[] = []
  const setup: Setup = {
    database: name,
    prefix: name,
    redisUrl,
    world: { ended: new Set(), banned: new Set(), ttlS: 600, log: new Map(), replays: 0 },
    async open (options = {}) {
      const node = await openNode(setup, options)
      nodes.push(node)
      return node
    }
  }
  t.teardown(async () => {
    for (const node of nodes) await node.close()
    await drop(setup)
  })
  return setup
}

async function drop ({ database, prefix, redisUrl }: Setup): Promise<void> {
  const client = await MongoClient.connect(testStores().mongoUrl)
  await client.db(database).dropDatabase()
  await client.close()
  if (redisUrl !== testStores().redisUrl) return
  const redis = new Redis(redisUrl)
  for await (const keys of redis.scanStream({ match: `${prefix}:*`, count: 1000 }) as AsyncIterable<string[]>) {
    if (keys.length > 0) await redis.unlink(...keys)
  }
  await redis.quit()
}

async function openNode (
  setup: Setup, { sockets: changes = {}, hasSockets = true, redisUrl = setup.redisUrl }: NodeOptions
): Promise<Node> {
  const app = Fastify({ logger: { level: 'silent' } })
  const store = { url: redisUrl, prefix: setup.prefix }
  await app.register(telemetry, { role: 'server', version: '0' })
  await app.register(errors)
  await app.register(mongo, { url: testStores().mongoUrl, database: setup.database, role: 'server' })
  await app.register(cache, { ...store, environment: 'test' })
  await app.register(pubsub, store)
  await app.register(queue, { ...store, role: 'server', groups: [], partitions: 1 })
  await app.register(context)
  await app.register(headers, { publicUrl: '', origins: [] })
  await app.register(rateLimit, { floodPerMin: 1e7, mediaPerMin: 1e7, limitScale: 1000 })
  await app.register(auth)
  if (hasSockets) {
    await app.register(sockets, {
      origins: ['https://friend.example'],
      publicUrl: '',
      maxConnections: 5000,
      perUser: 1000,
      perIp: 5000,
      unauthenticated: 1000,
      subs: 128,
      commandsPerSec: 500,
      handshakesPerSec: 5000,
      drainMs: 0,
      ...changes
    })
    await app.register(live)
  }
  bind(app, setup.world)
  await migrate({ url: testStores().mongoUrl, database: setup.database }, app.registry.collections.values())
  const address = await app.listen({ host: '127.0.0.1', port: 0 }).catch(async (error: unknown) => {
    await app.close()
    throw error
  })
  let isClosed = false
  return {
    app,
    url: `${address.replace('http', 'ws')}/live`,
    async close () {
      if (!isClosed) await app.close()
      isClosed = true
    }
  }
}

function bind (app: FastifyInstance, world: World): void {
  app.declare({
    domain: 'test',
    errors: TestError,
    topics: Object.values(topics),
    collections: [{ name: 'test.files', indexes: [] }]
  })
  app.live.bind(topics.events, { outbox: true })
  app.live.bind(topics.short, { outbox: true })
  app.live.bind(topics.state, { outbox: true })
  app.live.bind(topics.metrics, { lossy: true })
  const replay = async (params: Record<string, string>, from: number, limit: number) => {
    world.replays++
    return (world.log.get(Object.values(params)[0] ?? '') ?? []).filter(({ offset }) => offset >= from).slice(0, limit)
  }
  app.live.bind(topics.log, { replay })
  app.live.bind(topics.inbox, { replay })
  app.live.bind(topics.files, fileBinding)
  const join = async (actor: Actor, params: Record<string, string>) => {
    const room = Object.values(params)[0] ?? ''
    if (room.startsWith('private') || world.banned.has(`${actor.userId ?? ''} ${room}`)) throw TestError.not_yours()
  }
  for (const topic of Object.values(topics)) if (topic.auto === undefined) app.live.topic(topic, { join })
  // What lower floors declare is none of our matter here.
  for (const topic of app.registry.topics.values()) {
    if (!app.live.hub.bindings.has(topic.name)) app.live.bind(topic, { outbox: true })
    if (!app.live.hub.rules.has(topic.name) && topic.auto === undefined) app.live.topic(topic, { join: nobody })
  }
  app.setAuthenticator({
    async authenticate ({ token }) {
      const [userId = '', session = ''] = token.split('/')
      if (token.startsWith('expired')) throw TestError.token_expired()
      if (userId === '' || session === '' || world.ended.has(session)) throw TestError.token_invalid()
      return { ...systemActor(userId, 'w1', userId), kind: 'user', sessionId: session, pv: world.banned.size }
    },
    expiresInS: () => world.ttlS
  })
}

async function nobody (): Promise<never> {
  throw TestError.not_yours()
}

const fileBinding: DocumentBinding = {
  collection: 'test.files',
  match: { purpose: { $in: ['shown', 'also-shown'] } },
  params: async (documents) => documents.map((document) => [String(document['ownerId'])]),
  present: (document) => [{
    kind: 'file',
    key: document._id,
    data: { state: document['state'], bytes: document['bytes'], version: document.version }
  }]
}

/** Puts an item into the room's log without telling anybody, as a publisher that dies after its commit. */
export function commitItem (world: World, room: string): ReplayItem {
  const items = world.log.get(room) ?? []
  const offset = items.length + 1
  const item = { offset, kind: 'item', data: { n: offset }, mid: `${room}-${offset}`, at: new Date().toISOString() }
  world.log.set(room, [...items, item])
  return item
}
