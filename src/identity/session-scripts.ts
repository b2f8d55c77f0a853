import type { Script } from '../kernel/index.ts'

const dayMs = 86_400_000
export const idleMs = 30 * dayMs
export const lifeMs = 60 * dayMs
export const tombstoneMs = 660_000
export const mostSessions = 10
export const graceMs = 10_000
const touchMs = 60_000
const flushMs = 15 * 60_000
const restoreWithinMs = 30_000

/*
 * Keys of every script, in this order: the hash of the session, its tombstone, the sessions of the user, the
 * permission version of the user. All carry the tag {userId}. Times are milliseconds since the epoch.
 */
const expiry = `
local function endsAt (seenAt, createdAt)
  return math.min(tonumber(seenAt) + ${idleMs}, tonumber(createdAt) + ${lifeMs})
end
local function number (value) return string.format('%.0f', value) end
local function seen (now, sid, createdAt)
  redis.call('HSET', KEYS[1], 'seenAt', now)
  redis.call('ZADD', KEYS[3], now, sid)
  redis.call('PEXPIRE', KEYS[1], number(endsAt(now, createdAt) - tonumber(now)))
end
`

/** ARGV: now, sid, refresh counter of the access token. */
export const viewScript: Script = {
  name: 'identity.view-session',
  lua: `${expiry}
if redis.call('EXISTS', KEYS[2]) == 1 then return {'ended'} end
local f = redis.call('HMGET', KEYS[1],
  'n', 'gen', 'genAt', 'confirmed', 'createdAt', 'seenAt', 'flushedAt', 'mustChange')
if not f[1] then
  local t = redis.call('TIME')
  return {'missing', number(t[1] * 1000 + math.floor(t[2] / 1000))}
end
local now, rc = tonumber(ARGV[1]), tonumber(ARGV[3])
if now >= endsAt(f[6], f[5]) then return {'ended'} end
if rc > tonumber(f[4]) then redis.call('HSET', KEYS[1], 'confirmed', ARGV[3]) end
if rc > tonumber(f[1]) then redis.call('HSET', KEYS[1], 'n', ARGV[3]) end
local isDue = '0'
if now - tonumber(f[6]) >= ${touchMs} then seen(ARGV[1], ARGV[2], f[5]) end
if now - tonumber(f[7]) >= ${flushMs} then
  redis.call('HSET', KEYS[1], 'flushedAt', ARGV[1])
  isDue = '1'
end
return {'ok', f[2], f[3], redis.call('GET', KEYS[4]) or '', number(math.max(rc, tonumber(f[1]))), isDue, f[8]}
`
}

/** The table of `identity.md` 4.3. ARGV: now, sid, presented counter. */
export const refreshScript: Script = {
  name: 'identity.refresh-session',
  lua: `${expiry}
if redis.call('EXISTS', KEYS[2]) == 1 then return {'ended'} end
local f = redis.call('HMGET', KEYS[1],
  'n', 'gen', 'confirmed', 'rotatedAt', 'createdAt', 'seenAt', 'wid', 'amr', 'authTime')
if not f[1] then
  local t = redis.call('TIME')
  return {'missing', number(t[1] * 1000 + math.floor(t[2] / 1000))}
end
local now, c, n = tonumber(ARGV[1]), tonumber(ARGV[3]), tonumber(f[1])
if now >= endsAt(f[6], f[5]) then return {'ended'} end
local pv = redis.call('GET', KEYS[4]) or ''
if c >= n then
  n = c + 1
  redis.call('HSET', KEYS[1], 'n', number(n), 'rotatedAt', ARGV[1],
    'confirmed', number(math.max(c, tonumber(f[3]))))
  seen(ARGV[1], ARGV[2], f[5])
  return {'rotated', number(n), f[2], f[7], f[8], f[9], pv}
end
if c == n - 1 and now - tonumber(f[4]) <= ${graceMs} then
  return {'repeated', number(n), f[2], f[7], f[8], f[9], pv}
end
if c == n - 1 and tonumber(f[3]) < n then
  return {'lost', number(n), f[2], f[7], f[8], f[9], pv}
end
return {'reuse'}
`
}

/**
 * ARGV: now, sid, pv, most sessions, number of fields, then the fields of the hash with their values, then
 * pairs of a known session and its time, whose tombstones are the keys from the fifth on. Answers who was evicted.
 */
export const openScript: Script = {
  name: 'identity.open-session',
  lua: `${expiry}
local now, sid, count = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[5])
local hashes, tombs = string.sub(KEYS[1], 1, -37), string.sub(KEYS[2], 1, -37)
for i = 5, #KEYS do
  local at = 5 + count + 2 * (i - 4) - 1
  if redis.call('EXISTS', KEYS[i]) == 0 then redis.call('ZADD', KEYS[3], 'NX', ARGV[at + 1], ARGV[at]) end
end
redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', number(now - ${idleMs}))
local evicted = {}
while redis.call('ZCARD', KEYS[3]) >= tonumber(ARGV[4]) do
  local oldest = redis.call('ZPOPMIN', KEYS[3])[1]
  redis.call('DEL', hashes .. oldest)
  redis.call('SET', tombs .. oldest, '1', 'PX', ${tombstoneMs})
  evicted[#evicted + 1] = oldest
end
redis.call('HSET', KEYS[1], unpack(ARGV, 6, 5 + count))
seen(ARGV[1], sid, ARGV[1])
redis.call('PEXPIRE', KEYS[3], ${lifeMs})
if tonumber(ARGV[3]) > tonumber(redis.call('GET', KEYS[4]) or '0') then redis.call('SET', KEYS[4], ARGV[3]) end
return evicted
`
}

/** ARGV: now, sid, pv, Redis time at which the database was asked, then fields and values of the hash. */
export const restoreScript: Script = {
  name: 'identity.restore-session',
  lua: `${expiry}
if redis.call('EXISTS', KEYS[2]) == 1 then return 'ended' end
local t = redis.call('TIME')
if t[1] * 1000 + math.floor(t[2] / 1000) - tonumber(ARGV[4]) > ${restoreWithinMs} then return 'late' end
if tonumber(ARGV[3]) > tonumber(redis.call('GET', KEYS[4]) or '0') then redis.call('SET', KEYS[4], ARGV[3]) end
if redis.call('EXISTS', KEYS[1]) == 1 then return 'ok' end
redis.call('HSET', KEYS[1], unpack(ARGV, 5))
local f = redis.call('HMGET', KEYS[1], 'seenAt', 'createdAt')
redis.call('ZADD', KEYS[3], f[1], ARGV[2])
redis.call('PEXPIRE', KEYS[3], ${lifeMs})
redis.call('PEXPIRE', KEYS[1], number(math.max(1, endsAt(f[1], f[2]) - tonumber(ARGV[1]))))
return 'ok'
`
}

/** ARGV: sid. The tombstone outlives every access token. */
export const revokeScript: Script = {
  name: 'identity.revoke-session',
  lua: `
redis.call('SET', KEYS[2], '1', 'PX', ${tombstoneMs})
redis.call('DEL', KEYS[1])
redis.call('ZREM', KEYS[3], ARGV[1])
return 1
`
}

/** ARGV: fields and values; nothing where the session is not there. */
export const changeScript: Script = {
  name: 'identity.change-session',
  lua: `
if redis.call('EXISTS', KEYS[2]) == 1 or redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
redis.call('HSET', KEYS[1], unpack(ARGV))
return 1
`
}

/** KEYS: the permission version. ARGV: the least it must be. */
export const raiseVersionScript: Script = {
  name: 'identity.raise-permission-version',
  lua: `
if tonumber(ARGV[1]) > tonumber(redis.call('GET', KEYS[1]) or '0') then redis.call('SET', KEYS[1], ARGV[1]) end
return 1
`
}

/** KEYS: any. Answers when Redis can write. */
export const reachScript: Script = { name: 'identity.reach', lua: 'return redis.call(\'EXISTS\', KEYS[1])' }
