// The hostile web server of the proofs in a process of its own: what it holds in memory is not ours.
import type { ServerOptions } from 'node:https'
import { createAuthority } from '../../stand-ins/certificates.ts'
import { addHostility } from '../../stand-ins/hostility.ts'
import { runAsProcess } from '../../stand-ins/process.ts'
import { startWeb } from '../../stand-ins/web.ts'

export interface Hostile extends Record<string, unknown> {
  origin: string
  host: string
  /** Code that each path must get. */
  expected: Record<string, string>
  /** Servers with a bad certificate or version: origins by what is bad. */
  tls: Record<string, string>
}

await runAsProcess(async () => {
  const [victim, web] = [await startWeb(), await startWeb()]
  const expected = addHostility(web, `${victim.origin}/secret`)
  web.on('/good', (_request, reply) => { reply.end('good') })
  const bad = await Promise.all(Object.entries(badCertificates()).map(async ([name, tls]) => {
    const server = await startWeb({ tls })
    server.on('/', (_request, reply) => { reply.end('never') })
    return [name, server] as const
  }))
  const tls = Object.fromEntries(bad.map(([name, { origin }]) => [name, origin]))
  return {
    ready: { origin: web.origin, host: web.host, expected, tls } satisfies Hostile,
    close: async () => {
      const all = [web, victim, ...bad.map(([, server]) => server)]
      await Promise.all(all.map(async (one) => { await one.close() }))
    }
  }
})

function badCertificates (): Record<string, ServerOptions> {
  const authority = createAuthority('Nobody')
  const day = 86_400_000
  const names = ['127.0.0.1']
  const good = authority.issue({ names })
  return {
    'unknown authority': good,
    'another name': authority.issue({ names: ['other.example'] }),
    expired: authority.issue({ names, from: new Date(Date.now() - 3 * day), to: new Date(Date.now() - day) }),
    'old version': { ...good, minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT:@SECLEVEL=0' }
  }
}
