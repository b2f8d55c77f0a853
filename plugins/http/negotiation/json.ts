import { HttpError } from '../../../src/kernel/index.ts'

const maxDepth = 32
const maxKeys = 10_000
const decoder = new TextDecoder('utf-8', { fatal: true })

/** A body as JSON (`conventions.md` 4.1): UTF-8, bounded, without keys that mean something to a store. */
export function parseJson (body: Buffer): unknown {
  if (body.length === 0) return undefined
  const value = read(body)
  walk(value)
  return value
}

function read (body: Buffer): unknown {
  try {
    return JSON.parse(decoder.decode(body))
  } catch (cause) {
    throw HttpError.malformed_json({}, { cause })
  }
}

function walk (root: unknown): void {
  if (typeof root !== 'object' || root === null) return
  let level: object[] = [root]
  let keys = 0
  for (let depth = 1; level.length > 0; depth++) {
    if (depth > maxDepth) throw HttpError.forbidden_key({}, { detail: `The body is deeper than ${maxDepth} levels.` })
    const next: object[] = []
    for (const value of level) keys += visit(value, next)
    if (keys > maxKeys) throw HttpError.forbidden_key({}, { detail: `The body has more than ${maxKeys} keys.` })
    level = next
  }
}

/** Collects what is inside a value; answers how many keys it has. */
function visit (value: object, next: object[]): number {
  if (Array.isArray(value)) {
    for (const item of value) if (typeof item === 'object' && item !== null) next.push(item)
    return 0
  }
  let keys = 0
  for (const key of Object.keys(value)) {
    keys++
    const inner = (value as Record<string, unknown>)[key]
    if (isForbidden(key, inner)) throw HttpError.forbidden_key()
    if (typeof inner === 'object' && inner !== null) next.push(inner)
  }
  return keys
}

function isForbidden (key: string, inner: unknown): boolean {
  if (key.startsWith('$') || key === '__proto__' || key.includes('\0')) return true
  return key === 'constructor' && typeof inner === 'object' && inner !== null && Object.hasOwn(inner, 'prototype')
}
