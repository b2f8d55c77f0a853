import { isDeniedAddress, isDeniedName, literalOf } from './addresses.ts'
import { FetchError } from './errors.ts'

const maxUrlLength = 2083
const usualPorts: Record<string, string> = { 'http:': '80', 'https:': '443' }

/** Which `host:port` the installation admits although private, plain or on another port. */
export type Allowed = (url: URL) => boolean

export function createAllowed (list: readonly string[]): Allowed {
  const allowed = new Set(list.map((entry) => entry.toLowerCase()))
  return (url) => allowed.has(`${url.hostname}:${portOf(url)}`)
}

function portOf (url: URL): string {
  return url.port === '' ? usualPorts[url.protocol] ?? '' : url.port
}

export interface TargetRules {
  allowed: Allowed
  own: ReadonlySet<string>
  httpsOnly?: boolean
  /** Ports beside 80 and 443. */
  ports?: readonly number[]
}

/** The parsed address of a request by the rules that need no resolver. Throws `bad_url`, `forbidden_target`. */
export function parseTarget (text: string, { allowed, own, httpsOnly = false, ports = [] }: TargetRules): URL {
  const url = parse(text)
  if (allowed(url)) return url
  if (httpsOnly && url.protocol !== 'https:') throw refuse('Only https is allowed.')
  if (!['80', '443', ...ports.map(String)].includes(portOf(url))) {
    throw refuse('Only the ports 80 and 443 are allowed.')
  }
  const literal = literalOf(url.hostname)
  const isDenied = literal === undefined ? isDeniedName(url.hostname) : isDeniedAddress(literal, own)
  if (isDenied) throw FetchError.forbidden_target()
  return url
}

function refuse (detail: string): Error {
  return FetchError.forbidden_target({}, { detail })
}

function parse (text: string): URL {
  const url = text.length > maxUrlLength ? null : URL.parse(text)
  if (url === null) throw FetchError.bad_url()
  if (usualPorts[url.protocol] === undefined || url.hostname === '') throw FetchError.bad_url()
  if (url.username !== '' || url.password !== '') {
    throw FetchError.bad_url({}, { detail: 'An address may not carry a name or password.' })
  }
  return url
}

/** The address under which two requests are one transfer: normalised, without a fragment. Throws `bad_url`. */
export function canonicalUrl (text: string): string {
  const url = parse(text)
  url.hash = ''
  return url.href
}
