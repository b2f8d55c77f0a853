import { isIP, type LookupFunction } from 'node:net'
import { Pool, buildConnector } from 'undici'
import { FetchError, canonicalAddress, maxHeaderBytes } from '../../src/fetch/index.ts'

const maxPools = 256

export interface Pools {
  /** Keep-alive connections to exactly these vetted addresses of an origin. */
  take (origin: string, addresses: readonly string[], connections: number): Pool
  close (): Promise<void>
}

export function createPools (): Pools {
  const pools = new Map<string, Pool>()
  let newest: { key: string, pool: Pool } | undefined
  return {
    take (origin, addresses, connections) {
      const key = `${origin} ${addresses.join()} ${connections}`
      if (newest?.key === key) return newest.pool
      const pool = pools.get(key) ?? createPool(origin, addresses, connections)
      pools.delete(key)
      pools.set(key, pool)
      newest = { key, pool }
      const [oldest] = pools
      if (pools.size > maxPools && oldest !== undefined) {
        pools.delete(oldest[0])
        void oldest[1].close()
      }
      return pool
    },
    async close () {
      await Promise.all([...pools.values()].map(async (pool) => { await pool.destroy() }))
      pools.clear()
      newest = undefined
    }
  }
}

function createPool (origin: string, addresses: readonly string[], connections: number): Pool {
  return new Pool(origin, {
    connections,
    pipelining: 1,
    allowH2: false,
    maxHeaderSize: maxHeaderBytes,
    keepAliveTimeout: 10_000,
    // The clocks of a request are ours: these only catch what slipped through.
    headersTimeout: 60_000,
    bodyTimeout: 0,
    connect: createPinnedConnector(addresses)
  })
}

/** Connects to the vetted addresses only, and looks once more at whom it reached. */
function createPinnedConnector (addresses: readonly string[]): buildConnector.connector {
  const vetted = new Set(addresses)
  const answers = addresses.map((address) => ({ address, family: isIP(address) }))
  const lookup: LookupFunction = (_host, options, done) => {
    const [first] = answers
    if (first === undefined) done(new Error('no vetted address'), '', 0)
    else if (options.all === true) done(null, answers)
    else done(null, first.address, first.family)
  }
  const connect = buildConnector({
    timeout: 10_000, minVersion: 'TLSv1.2', rejectUnauthorized: true, lookup, allowH2: false
  })
  return (options, done) => {
    connect(options, (...[error, socket]) => {
      if (error !== null) done(error, null)
      else if (vetted.has(canonicalAddress(socket?.remoteAddress ?? ''))) done(null, socket)
      else {
        socket?.destroy()
        done(FetchError.forbidden_target(), null)
      }
    })
  }
}
