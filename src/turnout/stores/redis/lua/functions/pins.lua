-- Pins of conversations: {root}:c:<key>, a hash with the packed pin (p), when it was written in ms since 1970 (t), until
-- when it is kept (k) and its user (u). Indexes by `k`: {root}:pins of all, bounded by number; {root}:cu:<user> for
-- purging.
local MOST_PINS = 100000

local function pins_name(key)
  return ROOT .. ':c:' .. key
end

-- Returns packed, age in ms; nil where there is none.
local function pins_get(now, key)
  local values = redis.call('HMGET', pins_name(key), 'p', 't', 'k')
  if not values[1] or tonumber(values[3]) <= now then return nil end
  return values[1], math.max(0, now - tonumber(values[2]))
end

local function pins_delete(key)
  local user = redis.call('HGET', pins_name(key), 'u')
  if user then redis.call('ZREM', ROOT .. ':cu:' .. user, key) end
  redis.call('ZREM', ROOT .. ':pins', key)
  redis.call('UNLINK', pins_name(key))
end

local function pins_put(now, key, packed, ttl, user)
  local ends = now + ttl
  redis.call('HSET', pins_name(key), 'p', packed, 't', now, 'k', ends, 'u', user)
  redis.call('PEXPIRE', pins_name(key), ttl)
  redis.call('ZADD', ROOT .. ':pins', ends, key)
  answers_index(now, ROOT .. ':cu:' .. user, key, ends)
  for _, expired in ipairs(redis.call('ZRANGEBYSCORE', ROOT .. ':pins', '-inf', now, 'LIMIT', 0, SWEEP)) do
    pins_delete(expired)
  end
  if redis.call('ZCARD', ROOT .. ':pins') > MOST_PINS then
    pins_delete(redis.call('ZRANGE', ROOT .. ':pins', 0, 0)[1])
  end
end
