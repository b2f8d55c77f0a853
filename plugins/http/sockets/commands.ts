import { setTimeout as wait } from 'node:timers/promises'
import type { FastifyBaseLogger } from 'fastify'
import {
  DomainError, LiveError, closeCodes, frameLimits, isDomainError, uuidv7,
  type Actor, type ConnectCommand, type Subscribed
} from '../../../src/kernel/index.ts'
import { isDenial, type LiveAccess } from './access.ts'
import type { Connection, ConnectionTimes } from './connection.ts'
import { claimOf, type Command } from './inbox.ts'
import { replyErrorOf, type Proofs } from './proofs.ts'
import type { Ready, Subscriptions, Wish } from './subscribe.ts'

/** Who has not proved himself learns nothing faster than this. */
const strangerDelayMs = 500

interface CommandsOptions {
  access: LiveAccess
  proofs: Proofs
  subscriptions: Subscriptions
  limits: { subs: number, commandsPerSec: number }
  times: ConnectionTimes
  nowEpochMs: () => number
  log: FastifyBaseLogger
  /** Counts the connection under its user; closes who is one too many. */
  onConnected (connection: Connection): void
}

/** Why channels of a `connect` were refused, by name. */
type Errors = Map<string, unknown>

/** What the hub does for each command; one at a time per connection. */
export function createCommands (options: CommandsOptions) {
  const { access, proofs, subscriptions, limits, times, log } = options

  async function wish (connection: Connection, one: Wish): Promise<Ready> {
    const { actor } = connection
    if (actor === null) throw LiveError.unauthorized()
    if (one.isServerSide !== true) await access.join(actor, one.topic, one.channel)
    return await subscriptions.prepare(one)
  }

  function wishesOf (connection: Connection, { subs = {} }: ConnectCommand): { wishes: Wish[], errors: Errors } {
    const own = connection.actor === null ? [] : access.ownChannels(connection.actor)
    const names = new Set(own.map(({ channel }) => channel))
    const wishes: Wish[] = own.map(({ topic, channel }) =>
      ({ topic, channel, claim: claimOf(subs[channel]), isServerSide: true }))
    const errors: Errors = new Map()
    for (const [channel, claim] of Object.entries(subs).slice(0, limits.subs + own.length)) {
      if (names.has(channel)) continue
      try {
        wishes.push({ topic: access.topicOf(channel), channel, claim: claimOf(claim) })
      } catch (error) {
        errors.set(channel, error)
      }
    }
    return { wishes, errors }
  }

  async function subscribeAll (connection: Connection, command: ConnectCommand, ttl: number): Promise<void> {
    const { wishes, errors } = wishesOf(connection, command)
    const ready = new Map<Wish, Ready>()
    let open = wishes
    while (open.length > 0) {
      const results = await Promise.allSettled(open.map(async (one) => await wish(connection, one)))
      for (const [index, result] of results.entries()) {
        const one = open[index] as Wish
        if (result.status === 'fulfilled') ready.set(one, result.value)
        else errors.set(one.channel, result.reason)
      }
      open = [...ready].filter(([, one]) => !subscriptions.isCurrent(one)).map(([one, stale]) => {
        subscriptions.cancel(stale)
        ready.delete(one)
        return one
      })
    }
    subscriptions.commit(connection, [...ready.values()], (answers) => {
      connection.send({ id: command.id, ok: welcome(connection, { ttl, answers, errors }) })
    })
  }

  function welcome (
    connection: Connection, { ttl, answers, errors }: { ttl: number, answers: Map<string, Subscribed>, errors: Errors }
  ) {
    const { actor } = connection
    return {
      cid: connection.cid,
      session: connection.session,
      user: actor?.userId ?? null,
      workspace: actor?.workspaceId ?? '',
      ttl,
      ping: times.pingMs,
      pong: times.pongMs,
      now: options.nowEpochMs(),
      limits: { frame: frameLimits.frame, cmds: frameLimits.cmds, subs: limits.subs, cps: limits.commandsPerSec },
      subs: {
        ...Object.fromEntries(answers),
        ...Object.fromEntries([...errors].map(([channel, error]) => [channel, { err: shown(error) }]))
      }
    }
  }

  async function connect (connection: Connection, command: ConnectCommand): Promise<void> {
    if (connection.actor !== null) throw LiveError.bad_request({}, { detail: 'The connection is connected.' })
    if (command.v !== 1) {
      connection.bye(closeCodes.protocolVersion, { reason: 'protocol version' })
      return
    }
    const actor = await proofs.judge(connection, command.token)
    if (connection.isClosing) return
    connection.session = command.session ?? uuidv7()
    const ttl = proofs.take(connection, actor, command.token)
    options.onConnected(connection)
    await subscribeAll(connection, command, ttl)
  }

  async function refresh (connection: Connection, command: { id: number, token: string }): Promise<void> {
    const before = connection.actor
    const actor = await proofs.judge(connection, command.token)
    if (before === null || !isSame(before, actor)) {
      connection.bye(closeCodes.userChanged, { reason: 'user changed' })
      return
    }
    connection.send({ id: command.id, ok: { ttl: proofs.take(connection, actor, command.token) } })
  }

  async function sub (connection: Connection, command: Extract<Command, { t: 'sub' }>): Promise<void> {
    const { id, ch, rec, last } = command
    if (connection.subscriptions.has(ch)) throw LiveError.already_subscribed()
    if (connection.subscriptions.size >= limits.subs) throw LiveError.limit_exceeded()
    const topic = access.topicOf(ch)
    for (let attempt = 0; attempt < 5; attempt++) {
      const ready = await wish(connection, { topic, channel: ch, claim: rec, last })
      if (!subscriptions.isCurrent(ready)) {
        subscriptions.cancel(ready)
        continue
      }
      subscriptions.commit(connection, [ready], (answers) => { connection.send({ id, ok: answers.get(ch) ?? {} }) })
      return
    }
    throw LiveError.busy({}, { retryAfterMs: 1000 })
  }

  async function run (connection: Connection, command: Command): Promise<void> {
    if (connection.actor === null && command.t !== 'connect') throw LiveError.unauthorized()
    if (command.t === 'connect') await connect(connection, command)
    else if (command.t === 'refresh') await refresh(connection, command)
    else if (command.t === 'sub') await sub(connection, command)
    else if (command.t === 'unsub') {
      subscriptions.leave(connection, command.ch)
      connection.send({ id: command.id, ok: {} })
    } else throw access.topicOf(command.ch) === undefined ? LiveError.unknown_channel() : LiveError.not_enabled()
  }

  function shown (error: unknown) {
    if (!(error instanceof DomainError)) log.error({ err: error }, 'a live command failed')
    return replyErrorOf(error)
  }

  return {
    /** Runs a command and answers it; whether its caller was refused for what he is or sent. */
    async handle (connection: Connection, command: Command): Promise<'ok' | 'fault'> {
      try {
        await run(connection, command)
        return 'ok'
      } catch (error) {
        const isStranger = connection.actor === null
        if (isStranger) await wait(strangerDelayMs)
        connection.send({ id: command.id, err: shown(error) })
        if (isStranger && command.t === 'connect') proofs.refuse(connection, error)
        return isDenial(error) || (isDomainError(error) && error.kind === 'invalid') ? 'fault' : 'ok'
      }
    }
  }
}

function isSame (a: Actor, b: Actor): boolean {
  return a.id === b.id && a.userId === b.userId && a.workspaceId === b.workspaceId
}
