import { existsSync, readFileSync } from 'node:fs'
import { connect, createServer, isIPv6, type AddressInfo, type Server } from 'node:net'
import { networkInterfaces } from 'node:os'
import { join } from 'node:path'
import { createFetchClient, type FetchClient } from '../../../plugins/fetch/client.ts'
import { literalOf } from '../../../src/fetch/index.ts'
import type { Breakers, FetchProfile } from '../../../src/kernel/index.ts'
import { rebindingLookup } from '../../stand-ins/resolver.ts'
import { startWeb, type Web } from '../../stand-ins/web.ts'

const fixtures = join(import.meta.dirname, '../../../../shared/data/security')
const breakers: Breakers = { call: async (_name, work) => await work() }
const profiles: FetchProfile[] = ['page', 'feed', 'probe', 'file', 'image', 'callback', 'api']

/** Every spelling, redirect and rebinding of the fixtures; listeners on all local addresses count connections. */
export async function proveTargets (say: (line: string) => void): Promise<string> {
  const folder = fixturesFolder()
  const doors = await openDoors()
  const guide = await startWeb()
  const clients: FetchClient[] = []
  const open = (lookup: (host: string) => Promise<string[]>, allow: string[] = []) => {
    const client = createFetchClient({ allow, lookup, userAgent: 'Switchyard/0', breakers })
    clients.push(client)
    return client
  }
  try {
    const ours = localAddresses()
    const heard = await doors.control(ours)
    const lookup = cycling(ours)
    const direct = await tryAll(open(lookup), urlsOf(folder, ours, doors.ports), say)
    const redirected = await tryRedirects(open(lookup, [guide.host]), guide, locationsOf(folder, ours), say)
    const rebound = await tryRebinding(open, ours)
    const wrong = [...direct.wrong, ...redirected.wrong, ...rebound.wrong]
    if (doors.count() > 0) throw new Error(`${doors.count()} connections: ${doors.last()}`)
    if (wrong.length > 0) throw new Error(`${wrong.length} of another code: ${wrong.slice(0, 5).join('; ')}`)
    return `${ours.length} local addresses (each heard before: ${heard}), ${direct.tried} addresses, ` +
      `${redirected.tried} redirects, ${rebound.tried} rebindings, ` +
      `${direct.left + redirected.left} lead elsewhere and were left alone, 0 connections`
  } finally {
    await Promise.all(clients.map(async (client) => { await client.close() }))
    await guide.close()
    await doors.close()
  }
}

/** The corpora lie beside the installation, not in it. */
function fixturesFolder (): string {
  const places = [process.env['SECURITY_FIXTURES'], fixtures].filter((place) => place !== undefined)
  const found = places.find((place) => existsSync(join(place, 'payloads')))
  if (found === undefined) throw new Error('P30 needs the corpora of payloads: name their folder in SECURITY_FIXTURES.')
  return found
}

function localAddresses (): string[] {
  const own = Object.values(networkInterfaces()).flatMap((list) => list ?? [])
    .map(({ address, scopeid = 0 }) => scopeid === 0 ? address : `${address}%${scopeid}`)
  return [...new Set([...own, '127.0.0.1', '127.0.0.2', '127.1.2.3', '::1'])]
}

/** Listens on all addresses: on the ports that safe fetch would go to, and on one more. */
async function openDoors () {
  let count = 0
  let last = ''
  const servers: Server[] = []
  for (const port of [80, 443, 0]) {
    const server = createServer((socket) => {
      count++
      last = `${socket.remoteAddress ?? ''} to ${socket.localAddress ?? ''} ${socket.localPort ?? ''}`
      socket.destroy()
    })
    await new Promise<void>((resolve, reject) => { server.once('error', reject).listen(port, '::', resolve) })
    servers.push(server)
  }
  const ports = servers.map((server) => (server.address() as AddressInfo).port)
  return {
    ports,
    count: () => count,
    last: () => last,
    /** Shows that the listeners hear, on each address and port; what they heard is forgotten. */
    async control (addresses: readonly string[]): Promise<number> {
      for (const host of addresses) {
        for (const port of ports) await reach(host, port)
      }
      while (count < addresses.length * ports.length) await new Promise((resolve) => { setTimeout(resolve, 5) })
      const heard = count
      count = 0
      return heard
    },
    async close () {
      await Promise.all(servers.map(async (server) => { await new Promise((resolve) => server.close(resolve)) }))
    }
  }
}

async function reach (host: string, port: number): Promise<void> {
  const [address = '', zone] = host.split('%')
  const link = zone === undefined ? address : `${address}%${interfaceOf(address)}`
  await new Promise<void>((resolve, reject) => {
    const socket = connect({ host: link, port }, () => { socket.destroy(); resolve() }).once('error', reject)
  })
}

function interfaceOf (address: string): string {
  const [name = ''] = Object.entries(networkInterfaces())
    .find(([, list]) => list?.some((one) => one.address === address)) ?? []
  return name
}

/** A resolver for which every name is one of ours, sometimes behind a good address. */
function cycling (ours: readonly string[]) {
  let asked = 0
  return async (): Promise<string[]> => {
    const address = (ours[asked++ % ours.length] as string).split('%')[0] as string
    return asked % 3 === 0 ? ['93.184.216.34', address] : [address]
  }
}

/** Every way to write an IPv4 or IPv6 address of ours. */
function spellings (address: string): string[] {
  const [bare = ''] = address.split('%')
  if (isIPv6(bare)) return [`[${bare}]`, `[${bare.toUpperCase()}]`, `[${address.replace('%', '%25')}]`]
  const octets = bare.split('.').map(Number)
  const whole = octets.reduce((sum, octet) => sum * 256 + octet, 0)
  const [a = 0, b = 0, c = 0, d = 0] = octets
  const hex = `${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`
  return [
    bare, `${bare}.`, String(whole), `0x${whole.toString(16)}`, `0${whole.toString(8)}`,
    octets.map((octet) => `0x${octet.toString(16)}`).join('.'),
    octets.map((octet) => `0${octet.toString(8)}`).join('.'),
    `${a}.${(b * 256 + c) * 256 + d}`, `${a}.${b}.${c * 256 + d}`,
    bare.replaceAll('.', '。'), bare.replaceAll('.', '%2e'),
    `[::ffff:${bare}]`, `[::ffff:${hex}]`, `[::${bare}]`, `[64:ff9b::${hex}]`, `[64:ff9b:1::${hex}]`, `[2002:${hex}::]`,
    `[::ffff:0:${hex}]`, `[0:0:0:0:0:ffff:${bare}]`
  ]
}

function linesOf (folder: string, name: string): string[] {
  return readFileSync(join(folder, 'payloads', name), 'utf8').split('\n').map((line) => line.trim()).filter(Boolean)
}

function urlsOf (folder: string, ours: readonly string[], ports: readonly number[]): string[] {
  const hosts = [...linesOf(folder, 'fuzzdb.localhost-forms.txt'), ...ours.flatMap(spellings)]
  const literals = hosts.flatMap((host) => host.includes(':') && !host.startsWith('[') ? [`[${host}]`, host] : [host])
  const named = literals.flatMap((host) => ['', ...ports.map((port) => `:${port}`)]
    .flatMap((port) => [`http://${host}${port}/`, `https://${host}${port}/`]))
  const wpt = readJson<{ input: string, base?: string | null }>(folder, 'urltestdata.json')
    .flatMap(({ input, base }) => URL.parse(input, base ?? undefined)?.href ?? input)
  const idna = ['IdnaTestV2.json', 'toascii.json'].flatMap((name) => readJson<{ input: string }>(folder, name))
    .map(({ input }) => `http://${input}/`)
  return [...named, ...wpt, ...idna]
}

function readJson<T extends { input: string }> (folder: string, name: string): T[] {
  const rows = JSON.parse(readFileSync(join(folder, 'url', name), 'utf8')) as Array<T | string>
  return rows.filter((row): row is T => typeof row !== 'string' && typeof row.input === 'string')
}

interface Tried { tried: number, left: number, wrong: string[] }

/** One after another: an address that may be called is left alone, since nothing here may leave the machine. */
async function tryAll (client: FetchClient, urls: readonly string[], say: (line: string) => void): Promise<Tried> {
  const found: Tried = { tried: 0, left: 0, wrong: [] }
  for (const [index, url] of [...new Set(urls)].entries()) {
    if (await leadsElsewhere(client, url)) {
      found.left++
      continue
    }
    const profile = profiles[index % profiles.length] as FetchProfile
    judge(found, url, await codeOf(client, profile, url))
    if (found.tried % 1000 === 0) say(`${found.tried} addresses`)
  }
  return found
}

/** A global address, written out. Names lead to us, by the resolver. */
async function leadsElsewhere (client: FetchClient, url: string): Promise<boolean> {
  const parsed = URL.parse(url)
  if (parsed === null || literalOf(parsed.hostname) === undefined) return false
  return await client.check(url).then(() => true, () => false)
}

function judge (found: Tried, url: string, code: string): void {
  found.tried++
  if (!/^fetch\.(forbidden_target|bad_url|dns_failed)$/.test(code)) found.wrong.push(`${url} ${code}`)
}

function locationsOf (folder: string, ours: readonly string[]): string[] {
  const templates = ['fuzzdb.redirect-urls.txt', 'patt.open-redirect.open-redirect-payloads.txt']
    .flatMap((name) => linesOf(folder, name))
  const targets = ours.flatMap((address) => spellings(address).slice(0, 3))
  const filled = templates.flatMap((line) => line.includes('{target}')
    ? targets.map((target) => line.replaceAll('{target}', target))
    : [line])
  // What a template hands to an application is what a bad application answers.
  const inner = filled.flatMap((line) => /[?&][a-z]+=(.+)$/i.exec(line)?.[1] ?? [])
  return [...filled, ...inner, ...targets.flatMap((target) => [`http://${target}/`, `//${target}/`, `\\\\${target}/`])]
}

async function tryRedirects (
  client: FetchClient, guide: Web, locations: readonly string[], say: (line: string) => void
): Promise<Tried> {
  const found: Tried = { tried: 0, left: 0, wrong: [] }
  let location = ''
  guide.on('/go', (_request, reply) => { reply.writeHead(302, { location: encodeURI(location) }).end() })
  for (const [index, next] of [...new Set(locations)].entries()) {
    location = next
    const url = `${guide.origin}/go`
    const target = URL.parse(encodeURI(next), url)
    if (target?.origin === guide.origin || await leadsElsewhere(client, target?.href ?? '')) {
      found.left++
      continue
    }
    const profile = (['page', 'file', 'probe', 'image'] as const)[index % 4] as FetchProfile
    judge(found, next, await codeOf(client, profile, url))
    if (found.tried % 200 === 0) say(`${found.tried} redirects`)
  }
  return found
}

type Open = (lookup: (host: string) => Promise<string[]>, allow?: string[]) => FetchClient

/** Good when it is asked, ours when it is connected to, and the other way round. */
async function tryRebinding (open: Open, ours: readonly string[]): Promise<Tried> {
  const found: Tried = { tried: 0, left: 0, wrong: [] }
  const good = '93.184.216.34'
  for (const address of ours.map((one) => one.split('%')[0] as string)) {
    for (const answers of [[[address], [good]], [[good, address]], [[address, good], [address]]]) {
      const client = open(rebindingLookup(...answers))
      judge(found, `rebind ${answers.join(' ')}`, await codeOf(client, 'page', 'http://rebind.example/'))
    }
    found.tried++
    const code = await pinnedCode(open, address)
    if (code !== 'fetch.connect_failed') found.wrong.push(`pinned ${address} ${code}`)
  }
  return found
}

/** The first answer is where nobody listens, the next one where somebody does: only the first may be connected to. */
async function pinnedCode (open: Open, address: string): Promise<string> {
  if (address.startsWith('fe80:')) return 'fetch.connect_failed'
  let heard = 0
  const server = createServer((socket) => {
    heard++
    socket.destroy()
  })
  await new Promise<void>((resolve, reject) => { server.once('error', reject).listen(0, address, resolve) })
  const { port } = server.address() as AddressInfo
  const client = open(rebindingLookup(['127.0.0.9'], [address]), [`rebind.example:${port}`])
  const code = await codeOf(client, 'page', `http://rebind.example:${port}/`)
  await codeOf(client, 'page', `http://rebind.example:${port}/`)
  await new Promise((resolve) => server.close(resolve))
  return heard === 0 ? code : `${heard} connections`
}

async function codeOf (client: FetchClient, profile: FetchProfile, url: string): Promise<string> {
  try {
    const method = profile === 'callback' ? 'POST' : 'GET'
    await client.buffer(profile, { url, method }, { signal: AbortSignal.timeout(2000) })
    return 'none'
  } catch (error) {
    return (error as { code?: string }).code ?? String(error)
  }
}
