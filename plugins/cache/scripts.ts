import { createHash } from 'node:crypto'
import type { Redis } from 'ioredis'
import type { Script, ScriptRunner } from '../../src/kernel/index.ts'

/** Runs scripts by their digest and loads one only where the server does not know it. */
export function createScriptRunner (client: Redis, redisKey: (name: string) => string): ScriptRunner {
  const digests = new WeakMap<Script, string>()
  return {
    async run (script, keys, args) {
      const digest = digestOf(digests, script)
      const named = keys.map(redisKey)
      try {
        return await client.evalsha(digest, named.length, ...named, ...args)
      } catch (error) {
        if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error
        return await client.eval(script.lua, named.length, ...named, ...args)
      }
    }
  }
}

function digestOf (digests: WeakMap<Script, string>, script: Script): string {
  const known = digests.get(script)
  if (known !== undefined) return known
  const digest = createHash('sha1').update(script.lua).digest('hex')
  digests.set(script, digest)
  return digest
}
