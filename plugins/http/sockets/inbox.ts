import { Compile } from 'typebox/compile'
import {
  LiveError, commands, frameLimits,
  type CommandName, type ConnectCommand, type PositionClaim, type SubCommand
} from '../../../src/kernel/index.ts'

export type Command =
  | ConnectCommand
  | SubCommand
  | { id: number, t: 'refresh', token: string }
  | { id: number, t: 'unsub', ch: string }
  | { id: number, t: 'pub', ch: string, k: string, mid: string, d: unknown }

const validators = {
  connect: Compile(commands.connect),
  refresh: Compile(commands.refresh),
  sub: Compile(commands.sub),
  unsub: Compile(commands.unsub),
  pub: Compile(commands.pub)
} satisfies Record<CommandName, unknown>

/** One line of a frame as a command, `null` for a pong. Throws `live.bad_request`, `live.unknown_command`. */
export function readCommand (line: string): Command | null {
  const value = parse(line)
  const { t, id } = value as { t?: unknown, id?: unknown }
  if (t === undefined && id === undefined) return null
  if (typeof t !== 'string' || !(Object.hasOwn(validators, t))) throw LiveError.unknown_command({ id })
  if (!validators[t as CommandName].Check(value)) throw LiveError.bad_request({ id })
  return value as Command
}

/** The id that an unreadable command claims, so that its error finds home; 0 where it has none. */
export function idOf (details: Record<string, unknown>): number {
  return typeof details['id'] === 'number' && Number.isSafeInteger(details['id']) ? details['id'] : 0
}

/** A claim of `connect.subs`, or undefined for `{}`. */
export function claimOf (value: object | undefined): PositionClaim | undefined {
  return value !== undefined && 'e' in value ? value as PositionClaim : undefined
}

function parse (line: string): object {
  if (depthOf(line) > frameLimits.nesting) throw LiveError.bad_request()
  try {
    const value: unknown = JSON.parse(line, (key, inner: unknown) => key === '__proto__' ? undefined : inner)
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value
  } catch (cause) {
    throw LiveError.bad_request({}, { cause })
  }
  throw LiveError.bad_request()
}

/** Brackets inside texts count too, which only makes it stricter than the rule for what nobody sends. */
function depthOf (line: string): number {
  let depth = 0
  let deepest = 0
  for (let i = 0; i < line.length; i++) {
    const code = line.charCodeAt(i)
    if (code === 0x7b || code === 0x5b) deepest = Math.max(deepest, ++depth)
    else if (code === 0x7d || code === 0x5d) depth--
  }
  return deepest
}
