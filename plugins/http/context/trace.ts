const form = /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/
const own = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

/** The trace of a request that came without one, made of its own id. */
export function traceIdOf (id: string): string {
  return id.slice(0, 8) + id.slice(9, 13) + id.slice(14, 18) + id.slice(19, 23) + id.slice(24)
}

/** The caller's W3C traceparent where it is well-formed, else one made of the request's own id. */
export function traceOf (given: string | string[] | undefined, requestId: string): string {
  if (typeof given === 'string' && form.test(given)) return given
  if (!own.test(requestId)) return traceOf(undefined, uuidLike(requestId))
  const last = requestId.slice(19, 23) + requestId.slice(24)
  return `00-${requestId.slice(0, 8)}${requestId.slice(9, 13)}${requestId.slice(14, 18)}${last}-${last}-01`
}

function uuidLike (text: string): string {
  const hex = Buffer.from(text.padEnd(16, '0').slice(-16)).toString('hex')
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join('-')
}
