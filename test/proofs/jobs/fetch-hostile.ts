import { createFetchClient, type FetchClient } from '../../../plugins/fetch/client.ts'
import type { FetchProfile } from '../../../src/kernel/index.ts'
import { spawnStandIn } from '../../stand-ins/process.ts'
import type { Hostile } from './hostile-host.ts'

const MiB = 1024 * 1024
const memoryMiB = 64
/** They are waited for at their full time, so all at once. */
const slow = ['/silent', '/slow-headers', '/early-hints', '/stall', '/drip']

/** Every behaviour at the real limits: the right code, no more than the cap is read, and memory stays. */
export async function proveHostility (say: (line: string) => void): Promise<string> {
  const { ready, stop } = await spawnStandIn<Hostile>(new URL('hostile-host.ts', import.meta.url))
  const hosts = [ready.host, ...Object.values(ready.tls).map((origin) => new URL(origin).host)]
  const fetch = createFetchClient({
    allow: hosts,
    userAgent: 'Switchyard/0 (+https://switchyard.example)',
    breakers: { call: async (_name, work) => await work() }
  })
  try {
    await fetch.buffer('page', { url: `${ready.origin}/good` })
    const memory = watchMemory()
    const failures: string[] = []
    const judge = async (url: string, code: string, profile: FetchProfile = 'page') => {
      const got = await codeOf(fetch, profile, url)
      if (got !== `fetch.${code}`) failures.push(`${url}: ${got}, not fetch.${code}`)
      say(`${url} ${got}`)
    }
    const paths = Object.entries(ready.expected)
    for (const [path, code] of paths.filter(([path]) => !slow.includes(path))) await judge(ready.origin + path, code)
    for (const origin of Object.values(ready.tls)) await judge(`${origin}/`, 'tls_error')
    // Of the two clocks of the drip, the rate must be the one that strikes: a page has no more time than that.
    await Promise.all(slow.map(async (path) => {
      await judge(ready.origin + path, ready.expected[path] ?? '', path === '/drip' ? 'feed' : 'page')
    }))
    const grown = memory.end()
    const behaviours = paths.length + Object.keys(ready.tls).length
    if (behaviours < 25) failures.push(`only ${behaviours} behaviours`)
    if (grown > memoryMiB) failures.push(`memory grew by ${grown.toFixed(1)} MiB`)
    if (failures.length > 0) throw new Error(failures.join('; '))
    return `${behaviours} behaviours, each its code, memory + ${grown.toFixed(1)} MiB at most`
  } finally {
    await fetch.close()
    await stop()
  }
}

async function codeOf (fetch: FetchClient, profile: FetchProfile, url: string): Promise<string> {
  try {
    await fetch.buffer(profile, { url })
    return 'none'
  } catch (error) {
    return (error as { code?: string }).code ?? String(error)
  }
}

/** The highest resident size from now on, against the one now. */
function watchMemory () {
  const before = process.memoryUsage.rss()
  let most = before
  const timer = setInterval(() => { most = Math.max(most, process.memoryUsage.rss()) }, 20)
  return {
    /** MiB more than at the beginning. */
    end (): number {
      clearInterval(timer)
      return (Math.max(most, process.memoryUsage.rss()) - before) / MiB
    }
  }
}
