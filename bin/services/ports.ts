import { createHash } from 'node:crypto'
import { createServer } from 'node:net'

const first = 17_300
const span = 2_000

export async function isFree (port: number, host = '127.0.0.1'): Promise<boolean> {
  const probe = createServer()
  return await new Promise((resolve) => {
    probe.once('error', () => { resolve(false) })
    probe.listen({ port, host, exclusive: true }, () => { probe.close(() => { resolve(true) }) })
  })
}

/** The next free port of `count` from `from`; undefined when all are taken. */
export async function nextFree (from: number, count: number, host?: string): Promise<number | undefined> {
  for (let port = from; port < from + count; port++) {
    if (await isFree(port, host)) return port
  }
  return undefined
}

/**
 * A free port below the range that systems hand out to outgoing connections. It depends on the key first, so a folder
 * whose note of ports is lost finds its old ones again.
 */
export async function portFor (key: string, wanted?: number): Promise<number> {
  if (wanted !== undefined && await isFree(wanted)) return wanted
  const offset = createHash('sha256').update(key).digest().readUInt32BE() % span
  const port = await nextFree(first + offset, span)
  if (port !== undefined) return port
  throw new Error(`No port from ${first + offset} to ${first + offset + span} is free on 127.0.0.1.`)
}
