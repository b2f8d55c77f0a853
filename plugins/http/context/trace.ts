const form = /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/

/** The caller's W3C traceparent where it is well-formed, else one made of the request's own id. */
export function traceOf (given: string | string[] | undefined, requestId: string): string {
  if (typeof given === 'string' && form.test(given)) return given
  const hex = requestId.replaceAll('-', '').toLowerCase()
  const id = /^[0-9a-f]{32}$/.test(hex) ? hex : Buffer.from(requestId.padEnd(16, '0').slice(-16)).toString('hex')
  return `00-${id}-${id.slice(16)}-01`
}
