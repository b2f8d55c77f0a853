import { lookup as systemLookup } from 'node:dns/promises'
import { networkInterfaces } from 'node:os'
import { FetchError, canonicalAddress } from '../../src/fetch/index.ts'

/** Every address of a name. */
export type Lookup = (host: string) => Promise<string[]>

const answerMs = 60_000
const failureMs = 10_000
const maxEntries = 5000

interface Entry { answer: Promise<string[]>, until: number }

export async function lookupBySystem (host: string): Promise<string[]> {
  const answers = await systemLookup(host, { all: true, order: 'verbatim' })
  return answers.map(({ address }) => address)
}

/** Our own lookup: answers live a minute, failures ten seconds; several askers share one question. */
export function createResolver (lookup: Lookup): Lookup {
  const entries = new Map<string, Entry>()

  async function ask (host: string, entry: Entry): Promise<string[]> {
    try {
      const addresses = (await lookup(host)).map(canonicalAddress).sort()
      if (addresses.length === 0) throw new Error('no address')
      return addresses
    } catch (cause) {
      entry.until = performance.now() + failureMs
      throw FetchError.dns_failed({}, { cause })
    }
  }

  return async (host) => {
    const known = entries.get(host)
    if (known !== undefined && known.until > performance.now()) return await known.answer
    const entry: Entry = { answer: Promise.resolve([]), until: performance.now() + answerMs }
    entry.answer = ask(host, entry)
    entries.delete(host)
    entries.set(host, entry)
    const [oldest] = entries.keys()
    if (entries.size > maxEntries && oldest !== undefined) entries.delete(oldest)
    return await entry.answer
  }
}

/** The addresses of this machine, in canonical form, looked at once a minute. */
export function createOwnAddresses (): () => ReadonlySet<string> {
  let known: ReadonlySet<string> = new Set()
  let until = -Infinity
  return () => {
    if (performance.now() < until) return known
    until = performance.now() + answerMs
    known = new Set(Object.values(networkInterfaces()).flatMap((list) => list ?? [])
      .map(({ address }) => canonicalAddress(address)))
    return known
  }
}
