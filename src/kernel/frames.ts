import { Type, type Static } from 'typebox'
import { defineErrors, type ErrorKind } from './errors.ts'

/** Name of the protocol in `Sec-WebSocket-Protocol`. */
export const subprotocol = 'hub.v1.json'

export const frameLimits = { frame: 65_536, cmds: 64, data: 32_768, nesting: 16 } as const

/** Reply errors, the reasons of `unsub` and the close codes of hub v1 (`realtime.md` 3.6). */
export const replyCodes = {
  internal: 100, unauthorized: 101, unknownChannel: 102, permissionDenied: 103, unknownCommand: 104,
  alreadySubscribed: 105, limitExceeded: 106, badRequest: 107, notEnabled: 108, tokenExpired: 109,
  payloadTooLarge: 110, rateLimited: 111, unrecoverable: 112, busy: 113, inFlight: 114, brokerUnavailable: 115,
  conflict: 116
} as const
export const unsubCodes = {
  byServer: 2000, deleted: 2001, permissionRevoked: 2003, insufficientState: 2500, moved: 2502
} as const
export const closeCodes = {
  drain: 4001, internal: 4004, tokenExpired: 4005, tooSlow: 4008, resync: 4010, overloaded: 4011, noPong: 4012,
  superseded: 4013, rate: 4014, invalidToken: 4500, userChanged: 4501, noConnect: 4502, sessionEnded: 4503,
  connectionLimit: 4504, subscriptionLimit: 4505, protocolVersion: 4506, forbidden: 4507, tooManyErrors: 4509,
  flood: 4510
} as const

const codeOfKind: Record<ErrorKind, number> = {
  invalid: replyCodes.badRequest,
  unauthenticated: replyCodes.unauthorized,
  forbidden: replyCodes.permissionDenied,
  not_found: replyCodes.unknownChannel,
  conflict: replyCodes.conflict,
  rate_limited: replyCodes.rateLimited,
  unavailable: replyCodes.brokerUnavailable
}

/** Errors of the live protocol itself; their reply codes stand beside them. */
export const LiveError = defineErrors('live', {
  subprotocol_unknown: { kind: 'invalid', status: 400, message: 'The door speaks hub.v1.json only.' },
  origin_forbidden: { kind: 'forbidden', message: 'Pages of this origin may not open the door.' },
  overloaded: { kind: 'unavailable', message: 'This server takes no more sockets at the moment.' },
  unauthorized: { kind: 'unauthenticated', message: 'The proof does not hold.' },
  token_expired: { kind: 'unauthenticated', message: 'The token is past its time.' },
  unknown_channel: { kind: 'not_found', message: 'There is no such channel for you.' },
  permission_denied: { kind: 'forbidden', message: 'This is not yours to join.' },
  unknown_command: { kind: 'invalid', message: 'There is no such command.' },
  already_subscribed: { kind: 'conflict', message: 'The connection has this channel already.' },
  limit_exceeded: { kind: 'invalid', message: 'The connection has as many subscriptions as it may.' },
  bad_request: { kind: 'invalid', message: 'The command does not have the form of the protocol.' },
  not_enabled: { kind: 'invalid', message: 'This topic takes no publications from clients.' },
  rate_limited: { kind: 'rate_limited', message: 'Too many commands.' },
  unrecoverable: { kind: 'conflict', message: 'The position cannot be continued; load the state again.' },
  busy: { kind: 'unavailable', message: 'The channel moves too fast at the moment.' },
  broker_unavailable: { kind: 'unavailable', message: 'The live store does not answer.' },
  bad_publication: { kind: 'invalid', message: 'The publication does not fit its topic.' },
  gap: { kind: 'unavailable', message: 'Numbers of the channel are missing and cannot be read yet.' },
  internal: { kind: 'unavailable', status: 500, message: 'Something broke on our side.' }
})

const codeOfKey: Record<string, number> = {
  'live.unknown_command': replyCodes.unknownCommand,
  'live.already_subscribed': replyCodes.alreadySubscribed,
  'live.limit_exceeded': replyCodes.limitExceeded,
  'live.not_enabled': replyCodes.notEnabled,
  'live.unrecoverable': replyCodes.unrecoverable,
  'live.busy': replyCodes.busy,
  'live.internal': replyCodes.internal
}

/** The reply code of an error by its name, else by its kind. A `token_expired` of whatever domain is 109. */
export function replyCodeOf (code: string, kind: ErrorKind): number {
  if (code.endsWith('.token_expired')) return replyCodes.tokenExpired
  return codeOfKey[code] ?? codeOfKind[kind]
}

const channelPattern = '^[a-z]+\\.[a-z-]+:[A-Za-z0-9_-]{1,64}$'
const ch = Type.String({ pattern: channelPattern, maxLength: 128 })
const id = Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER })
const offset = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })
const word = Type.String({ minLength: 1, maxLength: 64 })
const token = Type.String({ minLength: 1, maxLength: 8192 })
const milliseconds = Type.Integer({ minimum: 0 })

export const PositionClaim = Type.Object({
  e: word, o: offset, m: Type.Optional(Type.String({ maxLength: 64 })), strict: Type.Optional(Type.Boolean())
})
export type PositionClaim = Static<typeof PositionClaim>

/** Commands of a client by `t`; unknown fields are treated as absent (`realtime.md` 3.4). */
export const commands = {
  connect: Type.Object({
    id,
    t: Type.Literal('connect'),
    v: Type.Integer(),
    token,
    sdk: Type.Optional(Type.String({ maxLength: 64 })),
    session: Type.Optional(Type.String({ pattern: '^[A-Za-z0-9_-]{1,64}$', maxLength: 64 })),
    device: Type.Optional(word),
    status: Type.Optional(word),
    subs: Type.Optional(Type.Record(Type.String({ maxLength: 128 }),
      Type.Union([PositionClaim, Type.Object({}, { additionalProperties: false })])))
  }),
  refresh: Type.Object({ id, t: Type.Literal('refresh'), token }),
  sub: Type.Object({
    id,
    t: Type.Literal('sub'),
    ch,
    rec: Type.Optional(PositionClaim),
    last: Type.Optional(Type.Integer({ minimum: 0, maximum: 100 }))
  }),
  unsub: Type.Object({ id, t: Type.Literal('unsub'), ch }),
  pub: Type.Object({ id, t: Type.Literal('pub'), ch, k: word, mid: word, d: Type.Unknown() })
}
export type CommandName = keyof typeof commands
export type ConnectCommand = Static<typeof commands.connect>
export type SubCommand = Static<typeof commands.sub>

const subscribed = Type.Object({
  sid: Type.Integer(),
  e: word,
  o: offset,
  /** The mid of publication `o`: with it the position proves itself. */
  m: Type.Optional(word),
  was: Type.Boolean(),
  rec: Type.Boolean(),
  n: Type.Integer({ minimum: 0 }),
  full: Type.Optional(Type.Boolean()),
  srv: Type.Optional(Type.Boolean())
})
export type Subscribed = Static<typeof subscribed>

export const ReplyErrorSchema = Type.Object({
  code: Type.Integer(),
  key: Type.String({ maxLength: 128 }),
  msg: Type.String({ maxLength: 500 }),
  temp: Type.Boolean(),
  retryMs: Type.Optional(milliseconds)
})
export type ReplyError = Static<typeof ReplyErrorSchema>

/** What answers each command. */
export const replies = {
  connect: Type.Object({
    cid: word,
    session: word,
    user: Type.Union([word, Type.Null()]),
    workspace: Type.String({ maxLength: 64 }),
    ttl: Type.Integer(),
    ping: milliseconds,
    pong: milliseconds,
    now: milliseconds,
    limits: Type.Object({
      frame: Type.Integer(), cmds: Type.Integer(), subs: Type.Integer(), cps: Type.Integer()
    }),
    subs: Type.Record(Type.String({ maxLength: 128 }),
      Type.Union([subscribed, Type.Object({ err: ReplyErrorSchema })]))
  }),
  refresh: Type.Object({ ttl: Type.Integer() }),
  sub: subscribed,
  unsub: Type.Object({}),
  pub: Type.Object({ o: offset, e: word, ts: milliseconds, dup: Type.Optional(Type.Boolean()) })
} satisfies Record<CommandName, unknown>

/** Frames of the server without an id, by `t` (`realtime.md` 3.5). */
export const serverFrames = {
  pub: Type.Object({
    t: Type.Literal('pub'),
    ch,
    o: offset,
    ts: milliseconds,
    k: word,
    d: Type.Unknown(),
    key: Type.Optional(Type.String({ maxLength: 128 })),
    del: Type.Optional(Type.Literal(true)),
    mid: Type.Optional(word),
    by: Type.Optional(word)
  }),
  live: Type.Object({ t: Type.Literal('live'), ch, sid: Type.Integer(), o: offset }),
  sub: Type.Intersect([Type.Object({ t: Type.Literal('sub'), ch }), subscribed]),
  unsub: Type.Object({
    t: Type.Literal('unsub'), ch, sid: Type.Integer(), code: Type.Integer(), reason: Type.String({ maxLength: 64 })
  }),
  expiring: Type.Object({ t: Type.Literal('expiring'), in: Type.Integer({ minimum: 0 }) }),
  bye: Type.Object({
    t: Type.Literal('bye'),
    code: Type.Integer(),
    reason: Type.String({ maxLength: 64 }),
    retryMs: milliseconds,
    resume: Type.Boolean()
  })
}
