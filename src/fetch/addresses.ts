// Which addresses may be reached (`jobs.md` 4.11): global unicast and nothing else.
import { isIPv4 } from 'node:net'
import ipaddr from 'ipaddr.js'

type Range = [ipaddr.IPv4 | ipaddr.IPv6, number]

const deniedV4: Range[] = [
  '0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12', '192.0.0.0/24',
  '192.0.2.0/24', '192.88.99.0/24', '192.168.0.0/16', '198.18.0.0/15', '198.51.100.0/24', '203.0.113.0/24',
  '224.0.0.0/4', '240.0.0.0/4'
].map((range) => ipaddr.parseCIDR(range))

const globalV6: Range = ipaddr.parseCIDR('2000::/3')
const deniedV6: Range[] = ['2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20']
  .map((range) => ipaddr.parseCIDR(range))
/** RFC 6052: the last 32 bits are an IPv4 address. */
const translatedV6: Range = ipaddr.parseCIDR('64:ff9b::/96')

const deniedNames = new Set([
  'localhost', 'metadata', 'metadata.google.internal', 'metadata.goog', 'instance-data', 'instance-data.ec2.internal',
  'kubernetes.default.svc', 'host.docker.internal'
])

/** Names that mean a machine of ours whatever a resolver says. */
export function isDeniedName (host: string): boolean {
  const name = host.replace(/\.$/, '')
  return deniedNames.has(name) || /\.(localhost|local|internal)$/.test(name)
}

/** The literal of a host as WHATWG URL writes it (`[::1]`, `127.0.0.1`), in canonical form; undefined for a name. */
export function literalOf (host: string): string | undefined {
  // A host that ends in no digit and has no bracket is a name.
  if (!/[\d\]]$/.test(host)) return undefined
  // What URL calls an IPv4 address is canonical already.
  if (isIPv4(host)) return host
  const bare = host.startsWith('[') && host.endsWith(']') ? host.slice(1, -1) : host
  return ipaddr.IPv4.isValidFourPartDecimal(bare) || ipaddr.IPv6.isValid(bare) ? canonicalAddress(bare) : undefined
}

/** One spelling of an address, so that a peer can be compared with what was vetted; mapped addresses as IPv4. */
export function canonicalAddress (address: string): string {
  return ipaddr.isValid(address) ? ipaddr.process(address).toString() : address
}

/** Whether an address is anything but global unicast, or one of `own`. */
export function isDeniedAddress (address: string, own: ReadonlySet<string> = new Set()): boolean {
  if (!ipaddr.isValid(address) || address.includes('%')) return true
  const parsed = ipaddr.process(address)
  if (own.has(parsed.toString())) return true
  return parsed instanceof ipaddr.IPv4 ? isDeniedV4(parsed) : isDeniedV6(parsed, own)
}

function isDeniedV4 (address: ipaddr.IPv4): boolean {
  return deniedV4.some((range) => address.match(range as [ipaddr.IPv4, number]))
}

function isDeniedV6 (address: ipaddr.IPv6, own: ReadonlySet<string>): boolean {
  const matches = (range: Range) => address.match(range as [ipaddr.IPv6, number])
  if (matches(translatedV6)) {
    return isDeniedAddress(new ipaddr.IPv4(address.toByteArray().slice(12)).toString(), own)
  }
  return !matches(globalV6) || deniedV6.some(matches)
}
