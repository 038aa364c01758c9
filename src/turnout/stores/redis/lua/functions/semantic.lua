-- Questions of semantic answers: a hash each, {root}:s:<key>, with the packed question (d), its user (u) and its endpoint
-- (e), which Redis' own expiry ends. Indexes, sorted by that end: {root}:sx of every question, bounded; {root}:su:<user>
-- and {root}:se:<endpoint> for purging.
--
-- {root}:sv is the stream that every worker's own index follows: entries `a <key>` and `d <keys>`. Their numbers have no
-- gap, so that a worker that missed one sees it; a stream that was lost begins above all numbers of the one before.
local SEMANTIC_INDEX, SEMANTIC_STREAM = ROOT .. ':sx', ROOT .. ':sv'
-- Events kept: what a worker may miss before it loads everything anew.
local SEMANTIC_EVENTS = 10000
local SEMANTIC_KEY_BYTES = 16

local function semantic_name(key)
  return ROOT .. ':s:' .. key
end

-- Returns the number of the newest event; nil where there is none.
local function semantic_newest()
  local newest = redis.call('XREVRANGE', SEMANTIC_STREAM, '+', '-', 'COUNT', 1)[1]
  return newest and tonumber(newest[1]:match('^%d+'))
end

local function semantic_tell(now, what, keys)
  local number = (semantic_newest() or now * 1000) + 1
  local id = string.format('%.0f-0', number)
  redis.call('XADD', SEMANTIC_STREAM, 'MAXLEN', '~', SEMANTIC_EVENTS, id, what, keys)
end

-- Returns whether there was one.
local function semantic_delete(key)
  local names = redis.call('HMGET', semantic_name(key), 'u', 'e')
  redis.call('ZREM', SEMANTIC_INDEX, key)
  if not names[1] then return false end
  redis.call('ZREM', ROOT .. ':su:' .. names[1], key)
  redis.call('ZREM', ROOT .. ':se:' .. names[2], key)
  redis.call('UNLINK', semantic_name(key))
  return true
end

-- Returns {key, packed, user, endpoint, ms that it is left}; nil where it is gone.
local function semantic_row(key)
  local values = redis.call('HMGET', semantic_name(key), 'd', 'u', 'e')
  if not values[1] then return nil end
  return {key, values[1], values[2], values[3], redis.call('PTTL', semantic_name(key))}
end
