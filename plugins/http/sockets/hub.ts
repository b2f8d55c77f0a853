import { randomBytes } from 'node:crypto'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { WebSocket } from 'ws'
import { closeCodes, isDomainError } from '../../../src/kernel/index.ts'
import { problemsOf } from '../../pubsub/live.ts'
import type { Item } from '../../pubsub/publication.ts'
import { createLiveAccess } from './access.ts'
import { createAdmission } from './admission.ts'
import { createChannels } from './channels.ts'
import { createCommands } from './commands.ts'
import { Connection, type ConnectionFloor, type ConnectionTimes } from './connection.ts'
import { drain } from './drain.ts'
import { createFanout } from './fanout.ts'
import { createIntake } from './intake.ts'
import { createHubMetrics } from './metrics.ts'
import { createProofs } from './proofs.ts'
import { createSubscriptions } from './subscribe.ts'
import { createRecovery, type Subscription } from './subscriptions.ts'
import { createUsers } from './users.ts'
import { createWheel } from './wheel.ts'

export interface SocketsOptions {
  origins: readonly string[]
  publicUrl: string
  maxConnections: number
  perUser: number
  perIp: number
  unauthenticated: number
  subs: number
  commandsPerSec: number
  handshakesPerSec: number
  drainMs: number
  offline?: boolean
  /** Only tests shorten these. */
  times?: Partial<ConnectionTimes>
}

/** The WebSocket side of the hub; `routes/live.ts` hands it the sockets. */
export interface Hub {
  /** Before the upgrade. Throws `live.*`. */
  admit (request: FastifyRequest): void
  accept (socket: WebSocket, request: FastifyRequest): void
  /** Sends everybody elsewhere; nobody new is let in. */
  drain (): Promise<void>
  /** Throws one sentence per declared topic that cannot be served. */
  checkTopics (): void
  close (): void
}

export function createHub (app: FastifyInstance, options: SocketsOptions): Hub {
  const node = randomBytes(4).toString('base64url')
  const times: ConnectionTimes = { pingMs: 25_000, pongMs: 10_000, connectMs: 10_000, ...options.times }
  const wheel = createWheel()
  const nowMs = (): number => performance.now()
  const metrics = createHubMetrics(app.metrics)
  const admission = createAdmission(options, nowMs)
  const connections = new Set<Connection>()
  const { hub } = app.live
  const fanout = createFanout()
  const channels = createChannels({
    hub,
    wheel,
    log: app.log,
    deliver: (channel, item) => { fanout.deliver(channel, item) },
    count: (name, topic) => { metrics[name].inc({ topic }) }
  })
  const recovery = createRecovery(hub.history, channels, (outcome) => { metrics.recoveries.inc({ outcome }) })
  const subscriptions = createSubscriptions({
    channels, recovery, onChange: (topic, by) => { metrics.subscriptions.inc({ topic }, by) }
  })
  const access = createLiveAccess(app.registry.topics, hub, nowMs)
  const proofs = createProofs({ authenticator: () => app.authenticator(), access, subscriptions, nowMs })
  const users = createUsers({ perUser: options.perUser, bus: app.bus, node, review: proofs.review, access })
  const commands = createCommands({
    access,
    proofs,
    subscriptions,
    limits: options,
    times,
    nowEpochMs: () => app.clock.ms(),
    log: app.log,
    onConnected (connection) {
      admission.authenticated()
      users.add(connection)
    }
  })
  const intake = createIntake({ handle: commands.handle, perSec: options.commandsPerSec, nowMs })
  let count = 0

  async function after ({ channel, from }: Subscription): Promise<Item[] | null> {
    try {
      const items = channel.ring.after(from) ?? await hub.history.items(channel.topic, channel.name, from + 1, 100)
      return items.length === 0 || items[0]?.o === from + 1 ? items : null
    } catch (error) {
      if (isDomainError(error) && error.kind === 'unavailable') return []
      throw error
    }
  }

  const floor: ConnectionFloor = {
    wheel,
    fanout,
    times,
    onMessage: intake.take,
    onTime: proofs.onTime,
    after,
    onClosed (connection) {
      connections.delete(connection)
      for (const one of [...connection.subscriptions.values()]) subscriptions.remove(one)
      admission.closed(connection.ip, { wasAuthenticated: connection.actor !== null })
      users.remove(connection)
      metrics.connections.set(connections.size)
    }
  }

  return {
    admit (request) {
      const { headers, ip } = request
      admission.check({ protocols: headers['sec-websocket-protocol'], origin: headers.origin, host: headers.host, ip })
    },
    accept (socket, request) {
      const connection = new Connection(socket, { cid: `${node}-${++count}`, ip: request.ip, floor })
      connections.add(connection)
      metrics.connections.set(connections.size)
      const awayMs = admission.opened(request.ip)
      if (awayMs !== null) connection.bye(closeCodes.overloaded, { reason: 'overloaded', retryMs: awayMs })
    },
    async drain () {
      admission.drain()
      await drain(connections, options.drainMs)
    },
    checkTopics () {
      const problems = problemsOf(app.registry.topics, hub)
      if (problems.length > 0) throw new Error(`The live hub cannot start: ${problems.join('; ')}.`)
    },
    close () {
      wheel.stop()
      users.close()
      channels.close()
    }
  }
}
