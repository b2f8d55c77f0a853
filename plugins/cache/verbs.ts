import type { Redis } from 'ioredis'
import type { Cache } from '../../src/kernel/index.ts'

export function createCache (client: Redis, redisKey: (name: string) => string): Cache {
  const loading = new Map<string, Promise<unknown>>()
  const keyOf = (key: string): string => redisKey(`cache:${key}`)

  async function load<T> (key: string, ttlMs: number, loader: () => Promise<T>): Promise<T> {
    const kept = await client.get(keyOf(key))
    if (kept !== null) return JSON.parse(kept) as T
    const value = await loader()
    await client.set(keyOf(key), JSON.stringify(value ?? null), 'PX', ttlMs)
    return value
  }

  return {
    get: async (key) => await client.get(keyOf(key)),
    async set (key, value, ttlMs) { await client.set(keyOf(key), value, 'PX', ttlMs) },
    async delete (key) { await client.del(keyOf(key)) },
    async getOrSet<T> (key: string, ttlMs: number, loader: () => Promise<T>): Promise<T> {
      const current = loading.get(key)
      if (current !== undefined) return await current as T
      const promise = load(key, ttlMs, loader).finally(() => { loading.delete(key) })
      loading.set(key, promise)
      return await promise
    }
  }
}
