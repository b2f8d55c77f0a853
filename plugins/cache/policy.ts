import type { Redis } from 'ioredis'

/** Refuses a Redis that may lose queued work (`jobs.redis_policy`); answers one warning, or null. */
export async function checkPolicy (client: Redis, environment: string): Promise<string | null> {
  const facts = factsOf(await client.info())
  const version = facts.get('redis_version') ?? '0'
  if (Number.parseInt(version, 10) < 7) refuse(`version ${version} is older than 7`)
  if (facts.get('role') !== 'master') refuse('it is a replica; name the primary')
  const policy = facts.get('maxmemory_policy')
  if (policy !== 'noeviction') refuse(`maxmemory-policy is ${policy ?? 'unknown'}; set noeviction`)
  const missing = facts.get('aof_enabled') === '1' ? await syncOf(client) : missingFile
  if (missing === null) return null
  if (environment === 'production') refuse(missing.refusal)
  return environment === 'test' ? null : missing.warning
}

const missingFile = {
  refusal: 'the append-only file is off; set appendonly yes',
  warning: 'Redis keeps no append-only file: what it holds is lost when it stops.'
}
const missingSync = {
  refusal: 'the append-only file is never synced; set appendfsync everysec',
  warning: 'Redis leaves it to the system when its append-only file is written: a power cut loses half a minute.'
}

/** Null where the file is synced every second or always, or where the service does not tell. */
async function syncOf (client: Redis): Promise<typeof missingSync | null> {
  const [, sync] = await client.config('GET', 'appendfsync').catch(() => []) as string[]
  return sync === 'no' ? missingSync : null
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
