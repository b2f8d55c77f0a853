import type { Redis } from 'ioredis'

/** Host and port of a store's address, without its secret. */
export function hostOf (url: string): string {
  try {
    return new URL(url).host
  } catch (cause) {
    throw new Error('REDIS_URL is not an address', { cause })
  }
}

/** Refuses a Redis that may lose queued work (`jobs.redis_policy`); answers one warning, or null. */
export async function checkPolicy (client: Redis, environment: string): Promise<string | null> {
  const facts = factsOf(await client.info())
  const version = facts.get('redis_version') ?? '0'
  if (Number.parseInt(version, 10) < 7) refuse(`version ${version} is older than 7`)
  if (facts.get('role') !== 'master') refuse('it is a replica; name the primary')
  const policy = facts.get('maxmemory_policy')
  if (policy !== 'noeviction') refuse(`maxmemory-policy is ${policy ?? 'unknown'}; set noeviction`)
  if (facts.get('aof_enabled') === '1') return null
  if (environment === 'production') refuse('the append-only file is off; set appendonly yes')
  return environment === 'test' ? null : 'Redis keeps no append-only file: what it holds is lost when it stops.'
}

function factsOf (info: string): Map<string, string> {
  return new Map(info.split('\r\n').filter((line) => line.includes(':')).map((line) => {
    const at = line.indexOf(':')
    return [line.slice(0, at), line.slice(at + 1)]
  }))
}

function refuse (reason: string): never {
  throw new Error(`jobs.redis_policy: this Redis cannot be used: ${reason}.`)
}
