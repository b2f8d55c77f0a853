/** Stands in a shown payload where its job hides something. */
export const hidden = '[hidden]'

type Json = Record<string, unknown>

/** The data as it is shown: what the pointers of its job name is hidden. */
export function redact (data: unknown, pointers: readonly string[] = []): unknown {
  return pointers.reduce((shown, pointer) => replace(shown, segmentsOf(pointer), () => hidden), data)
}

/**
 * The data with a merge patch (RFC 7396) over it. What was hidden and comes back as it was shown stays what it was.
 */
export function edit (data: unknown, patch: unknown, pointers: readonly string[] = []): unknown {
  const edited = merge(data, patch)
  return pointers.reduce<unknown>((kept, pointer) => replace(kept, segmentsOf(pointer), (value) =>
    value === hidden ? read(data, segmentsOf(pointer)) : value), edited)
}

function merge (target: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return patch
  const merged: Json = isObject(target) ? { ...target } : {}
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete merged[name]
    else merged[name] = merge(merged[name], value)
  }
  return merged
}

function segmentsOf (pointer: string): string[] {
  return pointer.split('/').slice(1).map((segment) => segment.replaceAll('~1', '/').replaceAll('~0', '~'))
}

/** A copy with one place replaced; the same where that place is not there. */
function replace (data: unknown, [name, ...rest]: string[], by: (value: unknown) => unknown): unknown {
  if (name === undefined) return by(data)
  if (Array.isArray(data)) {
    return data.map((one, index) => name === String(index) ? replace(one, rest, by) : one)
  }
  if (!isObject(data) || !Object.hasOwn(data, name)) return data
  return { ...data, [name]: replace(data[name], rest, by) }
}

function read (data: unknown, segments: readonly string[]): unknown {
  return segments.reduce<unknown>((at, name) =>
    typeof at === 'object' && at !== null && Object.hasOwn(at, name) ? (at as Json)[name] : undefined, data)
}

function isObject (value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
