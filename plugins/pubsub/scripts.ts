import type { Script } from '../../src/kernel/index.ts'

/** Far longer than any history, so that a position can be judged after its items are gone. */
const metaMs = 30 * 24 * 3600 * 1000
export const seenMs = 5 * 60 * 1000
const tombstoneMs = 10 * 60 * 1000
const stateKeys = 1000

const script = (name: string, lua: string): Script => ({ name: `live.${name}`, lua })

/** An epoch begins with an empty history: what an older one left would be a foreign item under our number. */
const beginEpoch = `
local function begin(history, meta, epoch)
  redis.call('DEL', history)
  redis.call('HSET', meta, 'e', epoch, 's', 0)
  redis.call('HDEL', meta, 'lm', 'tf')
  redis.call('PEXPIRE', meta, ${metaMs})
  return epoch
end
`

/** KEYS history meta seen wire; ARGV mid payload newEpoch count ttlMs. Answers {isDuplicate, e, o}. */
export const appendEvent = script('append-event', `${beginEpoch}
local seen = redis.call('GET', KEYS[3])
if seen then
  local at = string.find(seen, ' ', 1, true)
  return {1, string.sub(seen, 1, at - 1), tonumber(string.sub(seen, at + 1))}
end
local e = redis.call('HGET', KEYS[2], 'e') or begin(KEYS[1], KEYS[2], ARGV[3])
local s = redis.call('HINCRBY', KEYS[2], 's', 1)
if s == 1 then redis.call('DEL', KEYS[1]) end
redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[4], s .. '-0', 'd', ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[5])
redis.call('HSET', KEYS[2], 'lm', ARGV[1])
redis.call('PEXPIRE', KEYS[2], ${metaMs})
redis.call('SET', KEYS[3], e .. ' ' .. s, 'PX', ${seenMs})
redis.call('SPUBLISH', KEYS[4], s .. ':' .. e .. '::' .. ARGV[2])
return {0, e, s}
`)

/**
 * KEYS history meta state expiries wire; ARGV mid payload newEpoch key version deleted nowMs.
 * The history keeps only who wrote which number: it proves positions. Answers {isDuplicate, e, o}.
 */
export const appendState = script('append-state', `${beginEpoch}
local function split(value)
  local o, v = string.match(value, '^(%d+):(%d*):')
  return tonumber(o), tonumber(v)
end
local e = redis.call('HGET', KEYS[2], 'e')
if not e then
  redis.call('DEL', KEYS[3], KEYS[4])
  e = begin(KEYS[1], KEYS[2], ARGV[3])
end
local current = redis.call('HGET', KEYS[3], ARGV[4])
if current and ARGV[5] ~= '' then
  local o, v = split(current)
  if v and v >= tonumber(ARGV[5]) then return {1, e, o} end
end
local floor = tonumber(redis.call('HGET', KEYS[2], 'tf') or '0')
local now = tonumber(ARGV[7])
local function drop(key, o)
  redis.call('HDEL', KEYS[3], key)
  redis.call('ZREM', KEYS[4], key)
  if o > floor then floor = o end
end
for _, key in ipairs(redis.call('ZRANGEBYSCORE', KEYS[4], '-inf', now, 'LIMIT', 0, 20)) do
  local value = redis.call('HGET', KEYS[3], key)
  drop(key, value and split(value) or 0)
end
if not current and redis.call('HLEN', KEYS[3]) >= ${stateKeys} then
  local all, oldest = redis.call('HGETALL', KEYS[3]), {}
  for i = 1, #all, 2 do oldest[#oldest + 1] = {all[i], (split(all[i + 1]))} end
  table.sort(oldest, function(a, b) return a[2] < b[2] end)
  for i = 1, 100 do drop(oldest[i][1], oldest[i][2]) end
end
local s = redis.call('HINCRBY', KEYS[2], 's', 1)
redis.call('HSET', KEYS[3], ARGV[4], s .. ':' .. ARGV[5] .. ':' .. ARGV[6] .. ':' .. ARGV[2])
if ARGV[6] == 'd' then
  redis.call('ZADD', KEYS[4], now + ${tombstoneMs}, ARGV[4])
else
  redis.call('ZREM', KEYS[4], ARGV[4])
end
redis.call('XADD', KEYS[1], 'MAXLEN', '~', ${stateKeys}, s .. '-0', 'm', ARGV[1])
for i = 1, 4 do redis.call('PEXPIRE', KEYS[i], ${metaMs}) end
redis.call('HSET', KEYS[2], 'lm', ARGV[1], 'tf', floor)
redis.call('SPUBLISH', KEYS[5], s .. ':' .. e .. ':' .. ARGV[6] .. ':' .. ARGV[2])
return {0, e, s}
`)

/**
 * KEYS history meta wire; ARGV epoch first count ttlMs (mid payload)*. Answers {outcome, e, s}: 0 appended,
 * 1 duplicate, 2 gap.
 */
export const appendDurable = script('append-durable', `
local e = redis.call('HGET', KEYS[2], 'e')
local s = tonumber(redis.call('HGET', KEYS[2], 's') or '0')
local first = tonumber(ARGV[2])
if e ~= ARGV[1] then
  redis.call('DEL', KEYS[1], KEYS[2])
  s = first - 1
end
if first > s + 1 then return {2, ARGV[1], s} end
local last = first + (#ARGV - 4) / 2 - 1
if last <= s then return {1, ARGV[1], last} end
for o = s + 1, last do
  local mid, payload = ARGV[5 + (o - first) * 2], ARGV[6 + (o - first) * 2]
  redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[3], o .. '-0', 'd', payload)
  redis.call('HSET', KEYS[2], 'e', ARGV[1], 's', o, 'lm', mid)
  redis.call('SPUBLISH', KEYS[3], o .. ':' .. ARGV[1] .. '::' .. payload)
end
redis.call('PEXPIRE', KEYS[1], ARGV[4])
redis.call('PEXPIRE', KEYS[2], ${metaMs})
return {0, ARGV[1], last}
`)

/** KEYS history meta; ARGV newEpoch. The meta, made where it is missing. Answers {e, s, lm, tf}. */
export const readMeta = script('read-meta', `${beginEpoch}
local e = redis.call('HGET', KEYS[2], 'e') or begin(KEYS[1], KEYS[2], ARGV[1])
local rest = redis.call('HMGET', KEYS[2], 's', 'lm', 'tf')
return {e, tonumber(rest[1]), rest[2] or '', tonumber(rest[3] or '0')}
`)

/** KEYS history meta; ARGV epoch top mid. Where the meta of a durable channel is missing or of another epoch. */
export const seedDurable = script('seed-durable', `
if redis.call('HGET', KEYS[2], 'e') == ARGV[1] then return 0 end
redis.call('DEL', KEYS[1], KEYS[2])
redis.call('HSET', KEYS[2], 'e', ARGV[1], 's', ARGV[2], 'lm', ARGV[3])
redis.call('PEXPIRE', KEYS[2], ${metaMs})
return 1
`)

/** KEYS history meta state expiries wire; ARGV oldEpoch newEpoch. Ends an epoch once, and says so on the wire. */
export const renewEpoch = script('renew-epoch', `${beginEpoch}
local e = redis.call('HGET', KEYS[2], 'e')
if e and e ~= ARGV[1] then return e end
redis.call('DEL', KEYS[3], KEYS[4])
begin(KEYS[1], KEYS[2], ARGV[2])
redis.call('SPUBLISH', KEYS[5], '0:' .. ARGV[2] .. ':e:')
return ARGV[2]
`)
