import type { TSchema } from 'typebox'
import type { Registry, TopicDefinition } from '../../../src/kernel/index.ts'
import {
  ReplyErrorSchema, closeCodes, commands, frameLimits, replies, replyCodes, serverFrames, subprotocol, unsubCodes,
  type CommandName
} from '../../../src/kernel/frames.ts'

type Json = Record<string, unknown>

const ref = (place: string): Json => ({ $ref: `#/${place}` })

/** The AsyncAPI 3 document of `/live`, made of the schemas that validate its frames and of the declared topics. */
export function asyncapiDocument (registry: Registry, version: string): Json {
  const topics = [...registry.topics.values()].sort((a, b) => a.name < b.name ? -1 : 1)
  const shown = { topics: topics.map(topicChannel), used: new Map<string, Json>() }
  const channels = Object.fromEntries(
    shown.topics.map(([name, channel]) => [name, localized(channel, registry, shown.used)])
  )
  return {
    asyncapi: '3.0.0',
    info: {
      title: 'Switchyard live',
      version,
      description: `The one WebSocket door, protocol ${subprotocol}. A frame holds 1 to ${frameLimits.cmds} objects, ` +
        'one a line. An empty object is ping and pong.'
    },
    defaultContentType: 'application/json',
    servers: {
      live: { host: '{host}', protocol: 'wss', pathname: '/live', variables: { host: { default: '127.0.0.1:7300' } } }
    },
    channels: { live: doorChannel(), ...channels },
    operations: operations(),
    components: {
      messages: messages(), schemas: Object.fromEntries([...shown.used].sort(([a], [b]) => a < b ? -1 : 1))
    },
    'x-codes': { reply: replyCodes, unsub: unsubCodes, close: closeCodes }
  }
}

const commandNames = Object.keys(commands) as CommandName[]

function messages (): Json {
  const correlated = { correlationId: { location: '$message.payload#/id' } }
  const asked = commandNames.map((name) => [`${name}Command`, { name, ...correlated, payload: plain(commands[name]) }])
  const answered = commandNames.map(
    (name) => [`${name}Reply`, { name: `${name}Reply`, ...correlated, payload: replyOf(replies[name]) }]
  )
  const told = Object.entries(serverFrames).map(
    ([name, payload]) => [`${name}Frame`, { name, payload: plain(payload) }]
  )
  return Object.fromEntries([...asked, ...answered, ...told])
}

function replyOf (ok: TSchema): Json {
  const id = { type: 'integer', minimum: 1 }
  return {
    oneOf: [
      { type: 'object', required: ['id', 'ok'], properties: { id, ok: plain(ok) } },
      { type: 'object', required: ['id', 'err'], properties: { id, err: plain(ReplyErrorSchema) } }
    ]
  }
}

function doorChannel (): Json {
  return {
    address: '/live',
    description: 'The one physical channel; topics are subscribed inside it.',
    messages: Object.fromEntries(Object.keys(messages()).map((name) => [name, ref(`components/messages/${name}`)]))
  }
}

function operations (): Json {
  const channel = ref('channels/live')
  const message = (name: string): Json => ref(`channels/live/messages/${name}`)
  const asked = commandNames.map((name) => [name, {
    action: 'receive',
    channel,
    messages: [message(`${name}Command`)],
    reply: { channel, messages: [message(`${name}Reply`)] }
  }])
  const told = Object.keys(serverFrames).map(
    (name) => [`${name}Frame`, { action: 'send', channel, messages: [message(`${name}Frame`)] }]
  )
  return Object.fromEntries([...asked, ...told])
}

function topicChannel (topic: TopicDefinition): [string, Json] {
  const { name, param, kinds, class: deliveryClass, source, rate, history, priority, leaseMs, auto } = topic
  return [name, {
    address: `${name}:{${param}}`,
    parameters: { [param]: { description: `Id that names one channel of ${name}` } },
    messages: Object.fromEntries(Object.entries(kinds).map(([kind, payload]) =>
      [kind, { name: kind, summary: `\`k\` is ${kind}; this is its \`d\``, payload: plain(payload) }])),
    'x-hub': compact({ class: deliveryClass, source, rate, history, priority, leaseMs, autoSubscribe: auto })
  }]
}

function compact (record: Json): Json {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined))
}

function plain (schema: unknown): Json {
  return JSON.parse(JSON.stringify(schema)) as Json
}

/** References to shared schemas as references to components, which are noted as used. */
function localized (value: unknown, registry: Registry, used: Map<string, Json>): unknown {
  if (Array.isArray(value)) return value.map((item) => localized(item, registry, used))
  if (typeof value !== 'object' || value === null) return value
  const { $ref, $id: _id, ...rest } = value as Json
  const name = typeof $ref === 'string' && $ref.endsWith('#') ? $ref.slice(0, -1) : undefined
  const inner = Object.fromEntries(Object.entries(rest).map(([key, one]) => [key, localized(one, registry, used)]))
  if (name === undefined) return $ref === undefined ? inner : { $ref, ...inner }
  if (!used.has(name)) {
    used.set(name, {})
    used.set(name, localized(plain(registry.schemas.get(name) ?? {}), registry, used) as Json)
  }
  return ref(`components/schemas/${name}`)
}
