import { isUtf8 } from 'node:buffer'
import {
  isDomainError,
  type Breakers, type FetchAnswer, type FetchProfile, type FetchRequest, type SafeFetch
} from '../../src/kernel/index.ts'
import {
  FetchError, createAllowed, isDeniedAddress, literalOf, parseTarget, profiles, type Allowed, type Limits
} from '../../src/fetch/index.ts'
import { collectBody, judgeHeaders, streamBody } from './body.ts'
import { send, type Body, type Reply } from './exchange.ts'
import { toFetchError } from './failures.ts'
import { createPools, type Pools } from './pools.ts'
import { createOwnAddresses, createResolver, lookupBySystem, type Lookup } from './resolver.ts'
import { createWatch, type Watch } from './watch.ts'

export interface ClientOptions {
  allow: readonly string[]
  userAgent: string
  breakers: Breakers
  /** Who is asked for the addresses of a name. */
  lookup?: Lookup
  limits?: Partial<Record<FetchProfile, Limits>>
}

export type FetchClient = Pick<SafeFetch, 'buffer' | 'stream' | 'check'> & { close (): Promise<void> }

interface Parts {
  allowed: Allowed
  own: () => ReadonlySet<string>
  resolve: Lookup
  pools: Pools
  breakers: Breakers
  userAgent: string
  limits: Record<FetchProfile, Limits>
}

interface Hop {
  url: URL
  method: string
  headers: Record<string, string>
  body: string | Buffer | null
  ports: readonly number[]
}

/** What the answer tells about the way to it. */
interface Trip { hops: string[], dnsMs: number, firstByteMs: number }

/** The guarded client (`jobs.md` 4.11): judges every hop, pins what it vetted, and keeps the limits of the profile. */
export function createFetchClient (options: ClientOptions): FetchClient {
  const parts: Parts = {
    allowed: createAllowed(options.allow),
    own: createOwnAddresses(),
    resolve: createResolver(options.lookup ?? lookupBySystem),
    pools: createPools(),
    breakers: options.breakers,
    userAgent: options.userAgent,
    limits: { ...profiles, ...options.limits }
  }

  /** Up to the headers of the last answer; whoever reads the body ends the watch. */
  async function open (profile: FetchProfile, request: FetchRequest, { signal }: { signal?: AbortSignal } = {}) {
    const limits = parts.limits[profile]
    const watch = createWatch(limits, signal)
    const trip: Trip = { hops: [], dnsMs: 0, firstByteMs: 0 }
    try {
      const { hop, reply } = await follow(parts, limits, request, { watch, trip })
      const encodings = hop.method === 'HEAD' ? [] : judgeHeaders(reply.headers, limits)
      const answer = toAnswer(hop.url, trip, reply, watch)
      return { answer, raw: reply.body, guard: { encodings, limits, watch, bytes: answer.bytes } }
    } catch (error) {
      watch.end()
      throw toFetchError(error, watch.reason)
    }
  }

  return {
    async stream (profile, request, options) {
      const { answer, raw, guard } = await open(profile, request, options)
      return Object.assign(answer, { body: streamBody(raw, guard) })
    },
    async buffer (profile, request, options) {
      const { answer, raw, guard } = await open(profile, request, options)
      return Object.assign(answer, { body: await collectBody(raw, guard) })
    },
    async check (text, { httpsOnly = false } = {}) {
      const url = parseTarget(text, { allowed: parts.allowed, own: parts.own(), httpsOnly })
      await vet(parts, url)
      return url
    },
    async close () { await parts.pools.close() }
  }
}

function toAnswer (url: URL, trip: Trip, { status, headers }: Reply, watch: Watch): FetchAnswer {
  const { hops, dnsMs, firstByteMs } = trip
  const timings = { dnsMs, firstByteMs, totalMs: 0 }
  watch.tell(timings)
  return { finalUrl: url.href, hops, status, headers, timings, bytes: { packed: 0, unpacked: 0 } }
}

interface Way { watch: Watch, trip: Trip }

/** Walks the redirects by hand; each hop is judged afresh. */
async function follow (parts: Parts, limits: Limits, request: FetchRequest, way: Way) {
  const { trip: { hops } } = way
  let hop = firstHop(parts, limits, request)
  for (;;) {
    const reply = await exchange(parts, limits, hop, way)
    const location = limits.follows.includes(reply.status) ? reply.headers['location'] : undefined
    if (location === undefined) return { hop, reply }
    // Read to its end, so that the connection can be used for the next hop.
    drain(reply.body)
    hops.push(hop.url.href)
    if (hops.length > limits.redirects) throw FetchError.redirect_limit()
    hop = nextHop(parts, limits, hop, reply.status, location)
  }
}

const drainedBytes = 64 * 1024

function drain (body: Body): void {
  let bytes = 0
  body.read({
    take (piece) {
      bytes += piece.length
      if (bytes > drainedBytes) body.drop()
    },
    end () {},
    fail () {}
  })
}

/** Headers that are the connection's, not the caller's. */
const ownHeaders = new Set([
  'host', 'connection', 'keep-alive', 'content-length', 'expect', 'te', 'trailer', 'transfer-encoding', 'upgrade'
])

function firstHop ({ allowed, own, userAgent }: Parts, limits: Limits, request: FetchRequest): Hop {
  const { url, method = limits.methods[0] ?? 'GET', headers = {}, body = null, ports = [] } = request
  if (!limits.methods.includes(method)) throw FetchError.bad_url({}, { detail: `${method} is not allowed here.` })
  const isRaw = limits.isRaw
  const sent: Record<string, string> = { accept: '*/*', 'accept-encoding': isRaw ? 'identity' : 'gzip, deflate, br' }
  for (const [name, value] of Object.entries(headers)) {
    const lower = name.toLowerCase()
    if (!ownHeaders.has(lower)) sent[lower] = value
  }
  sent['user-agent'] = userAgent
  return { url: parseTarget(url, { allowed, own: own(), ports }), method, body, ports, headers: sent }
}

/** What tells another origin who we are. */
const credentials = /^(proxy-)?authorization$|^cookie2?$|(^|-)(api-?key|token|secret)$/

function nextHop (parts: Parts, limits: Limits, hop: Hop, status: number, location: string): Hop {
  const target = URL.parse(asUtf8(location), hop.url.href)
  if (target === null) throw FetchError.bad_url({}, { detail: 'The redirect names no address.' })
  const url = parseTarget(target.href, { allowed: parts.allowed, own: parts.own(), ports: hop.ports })
  judgeRedirect(limits, hop.url, url)
  const isElsewhere = url.origin !== hop.url.origin
  const isKept = status === 307 || status === 308 || hop.method === 'HEAD'
  const headers = Object.fromEntries(Object.entries(hop.headers).filter(([name]) =>
    !(isElsewhere && credentials.test(name)) && (isKept || !name.startsWith('content-'))))
  return isKept ? { ...hop, url, headers } : { ...hop, url, headers, method: 'GET', body: null }
}

/** Headers come as bytes; many a host writes addresses in UTF-8. */
function asUtf8 (text: string): string {
  const bytes = Buffer.from(text, 'latin1')
  return isUtf8(bytes) ? bytes.toString() : text
}

function judgeRedirect (limits: Limits, from: URL, to: URL): void {
  const isDowngrade = from.protocol === 'https:' && to.protocol === 'http:'
  if (isDowngrade && limits.isDowngradeRefused) throw FetchError.redirect_downgrade()
  if (from.origin !== to.origin && limits.across === 'same-origin') {
    throw FetchError.forbidden_target({}, { detail: 'The redirect leads to another origin.' })
  }
}

/** The addresses of a host, all of them vetted. Throws `forbidden_target`, `dns_failed`. */
async function vet (parts: Parts, url: URL): Promise<string[]> {
  const literal = literalOf(url.hostname)
  // One that is written out was judged with the address.
  if (literal !== undefined) return [literal]
  const addresses = await parts.resolve(url.hostname)
  const { allowed, own } = parts
  if (!allowed(url) && addresses.some((address) => isDeniedAddress(address, own()))) throw FetchError.forbidden_target()
  return addresses
}

/** A name is asked for in time or not at all. */
async function ask (parts: Parts, url: URL, { watch, trip }: Way): Promise<string[]> {
  const startedAt = performance.now()
  const addresses = await watch.race(vet(parts, url))
  trip.dnsMs += performance.now() - startedAt
  return addresses
}

async function exchange (parts: Parts, limits: Limits, hop: Hop, way: Way): Promise<Reply> {
  const { url, method, headers, body } = hop
  const { watch, trip } = way
  watch.await()
  const literal = literalOf(url.hostname)
  const addresses = literal === undefined ? await ask(parts, url, way) : [literal]
  const pool = parts.pools.take(url.origin, addresses, limits.connections)
  return await parts.breakers.call(`fetch ${url.host}`, async () => {
    const askedAt = performance.now()
    const request = { path: url.pathname + url.search, method, headers, body, reset: false }
    const reply = await send(pool, request, watch)
    watch.begin()
    trip.firstByteMs = performance.now() - askedAt
    return reply
  }, { counts: saysHostIsDown })
}

function saysHostIsDown (error: unknown): boolean {
  return ['fetch.connect_failed', 'fetch.timeout'].some((code) => isDomainError(error, code))
}
