// What several processes share in Redis: places for files of one host, and the rate of a workspace.
import type { Script, ScriptRunner } from '../../src/kernel/index.ts'
import { filesPerHost, slotMs, type SharedBucket, type Slots } from '../../src/fetch/index.ts'

const takeSlot: Script = {
  name: 'fetch.take-slot',
  lua: `local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
local isMine = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not isMine and redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[2]) then return 0 end
redis.call('ZADD', KEYS[1], now + ARGV[3], ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1`
}

const freeSlot: Script = { name: 'fetch.free-slot', lua: "return redis.call('ZREM', KEYS[1], ARGV[1])" }

/** The key holds the instant up to which the rate is used up; a quarter of a second is free after a pause. */
const takeBytes: Script = {
  name: 'fetch.take-bytes',
  lua: `local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local used = math.max(tonumber(redis.call('GET', KEYS[1]) or '0'), now - 250) + ARGV[1] / ARGV[2] * 1000
redis.call('SET', KEYS[1], string.format('%.3f', used), 'PX', math.max(1000, math.ceil(used - now) + 1000))
return math.max(0, math.ceil(used - now))`
}

/** Places that hold over all processes; a store that does not answer keeps nobody waiting. */
export function createSharedSlots (scripts: ScriptRunner): Slots {
  const keysOf = (host: string): string[] => [`fetch:host:${host}`]
  return {
    take: async (host, id) =>
      await scripts.run(takeSlot, keysOf(host), [id, filesPerHost, slotMs]).catch(() => 1) === 1,
    free: async (host, id) => { await scripts.run(freeSlot, keysOf(host), [id]).catch(() => 0) }
  }
}

export function createSharedBucket (scripts: ScriptRunner): SharedBucket {
  return async (workspaceId, bytes, bytesPerS) =>
    Number(await scripts.run(takeBytes, [`fetch:rate:${workspaceId}`], [bytes, bytesPerS]))
}
