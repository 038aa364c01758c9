-- Stored answers: a hash each, {root}:a:<key>, with the packed bytes (p) and, in ms since 1970, when it was
-- stored (t), until when it is fresh (f) and until when it is kept (k); user (u) and endpoint (e). clock_ms decides
-- about its times; Redis' own expiry only sweeps.
--
-- Indexes, sorted by `k`: {root}:all of every answer, bounded by entries and bytes; {root}:u:<user> and
-- {root}:e:<endpoint> for purging. {root}:bytes holds the size of all answers in `all`.

-- What an answer takes in Redis beside its bytes, user and endpoint: names, hash, three index entries.
local ANSWER_OVERHEAD = 700
-- The most answers that one script deletes, so that none holds Redis up.
local SWEEP = 32

local function answers_name(key)
  return ROOT .. ':a:' .. key
end

-- Returns packed, age in ms; nil where there is none, or none this fresh. max_age -1: any fresh one. stale: one that
-- is only kept is returned too.
local function answers_get(now, key, max_age, stale)
  local values = redis.call('HMGET', answers_name(key), 'p', 't', 'f', 'k')
  if not values[1] then return nil end
  local age = now - tonumber(values[2])
  local ends = tonumber(stale and values[4] or values[3])
  if ends <= now or (max_age >= 0 and age > max_age) then return nil end
  return values[1], math.max(0, age)
end

-- Returns what an answer counts for in max_bytes. User and endpoint stand in the hash, and name an index each.
local function answers_size(packed_size, user, endpoint)
  return packed_size + 2 * (#user + #endpoint) + ANSWER_OVERHEAD
end

-- Returns the index entry of an answer: its key and its size, so that the sum of sizes stays right even of what Redis'
-- own expiry has removed.
local function answers_entry(key, size)
  return key .. string.format('%012d', size)
end

-- Removes an entry from the index of all answers. Returns its key.
local function answers_forget(entry)
  local key, size = entry:sub(1, -13), tonumber(entry:sub(-12))
  -- Once: purging everything forgets what deleting has forgotten.
  if redis.call('ZREM', ROOT .. ':all', entry) == 1 then redis.call('DECRBY', ROOT .. ':bytes', size) end
  return key
end

-- Removes an answer, and its entries in the indexes by which it is purged. names: its user and endpoint.
local function answers_remove(key, names)
  if names[1] then redis.call('ZREM', ROOT .. ':u:' .. names[1], key) end
  if names[2] then redis.call('ZREM', ROOT .. ':e:' .. names[2], key) end
  redis.call('UNLINK', answers_name(key))
end

local function answers_evict(entry)
  local key = answers_forget(entry)
  answers_remove(key, redis.call('HMGET', answers_name(key), 'u', 'e'))
end

-- Returns whether there was one.
local function answers_delete(key)
  local packed_size = redis.call('HSTRLEN', answers_name(key), 'p')
  if packed_size == 0 then return false end
  local names = redis.call('HMGET', answers_name(key), 'u', 'e')
  answers_forget(answers_entry(key, answers_size(packed_size, names[1], names[2])))
  answers_remove(key, names)
  return true
end

local function answers_index(now, name, key, until_ms)
  for _, expired in ipairs(redis.call('ZRANGEBYSCORE', name, '-inf', now, 'LIMIT', 0, SWEEP)) do
    redis.call('ZREM', name, expired)
  end
  redis.call('ZADD', name, until_ms, key)
  -- Never sooner: an answer that is kept for longer may be in it.
  if redis.call('PTTL', name) < until_ms - now then redis.call('PEXPIRE', name, until_ms - now) end
end

local function answers_bound(now, max_entries, max_bytes)
  for _, entry in ipairs(redis.call('ZRANGEBYSCORE', ROOT .. ':all', '-inf', now, 'LIMIT', 0, SWEEP)) do
    answers_evict(entry)
  end
  for _ = 1, SWEEP do
    local bytes = tonumber(redis.call('GET', ROOT .. ':bytes') or 0)
    if bytes <= max_bytes and redis.call('ZCARD', ROOT .. ':all') <= max_entries then return end
    local first = redis.call('ZRANGE', ROOT .. ':all', 0, 0)[1]
    if not first then
      redis.call('DEL', ROOT .. ':bytes')
      return
    end
    answers_evict(first)
  end
end

-- bounds: {max_entries, max_bytes}. Answers that would be kept the shortest are evicted first.
local function answers_put(now, key, packed, ttl, kept, user, endpoint, bounds)
  local size = answers_size(#packed, user, endpoint)
  answers_delete(key)
  if size > bounds[2] then return end
  local name, ends = answers_name(key), now + ttl + kept
  redis.call('HSET', name, 'p', packed, 't', now, 'f', now + ttl, 'k', ends, 'u', user, 'e', endpoint)
  redis.call('PEXPIRE', name, ttl + kept)
  redis.call('ZADD', ROOT .. ':all', ends, answers_entry(key, size))
  redis.call('INCRBY', ROOT .. ':bytes', size)
  answers_index(now, ROOT .. ':u:' .. user, key, ends)
  answers_index(now, ROOT .. ':e:' .. endpoint, key, ends)
  answers_bound(now, bounds[1], bounds[2])
end
