-- Stored answers: a hash each, {root}:a:<key>, with the packed bytes (p) and, in ms since 1970, when it was
-- stored (t), until when it is fresh (f) and until when it is kept (k); who asked (u) and where (e). Its time is
-- judged by clock_ms; Redis' own expiry only sweeps.
--
-- Indexes, sorted by `k`: {root}:all of every answer, bounded by entries and bytes; {root}:u:<user> and
-- {root}:e:<endpoint> for purging. {root}:bytes holds what the answers in `all` weigh together.

-- What an answer weighs in Redis beside its packed bytes: names, hash, three index entries.
local ANSWER_OVERHEAD = 700
-- The most that one call of a script takes out, so that none holds Redis up.
local SWEEP = 32

local function answers_name(key)
  return ROOT .. ':a:' .. key
end

-- packed, age in ms; nil where there is none, or none this fresh. max_age -1: any fresh one. stale: a kept
-- one does too.
local function answers_get(now, key, max_age, stale)
  local found = redis.call('HMGET', answers_name(key), 'p', 't', 'f', 'k')
  if not found[1] then return nil end
  local age = now - tonumber(found[2])
  local ends = tonumber(stale and found[4] or found[3])
  if ends <= now or (max_age >= 0 and age > max_age) then return nil end
  return found[1], math.max(0, age)
end

-- The index entry of an answer: its key and, so that the sum of bytes is right even of what Redis' own expiry
-- has taken, its weight.
local function answers_entry(key, weight)
  return key .. string.format('%012d', weight)
end

local function answers_forget(entry)
  local key, weight = entry:sub(1, -13), tonumber(entry:sub(-12))
  redis.call('ZREM', ROOT .. ':all', entry)
  redis.call('DECRBY', ROOT .. ':bytes', weight)
  return key
end

-- Whether there was one.
local function answers_drop(key)
  local size = redis.call('HSTRLEN', answers_name(key), 'p')
  if size == 0 then return false end
  answers_forget(answers_entry(key, size + ANSWER_OVERHEAD))
  redis.call('UNLINK', answers_name(key))
  return true
end

local function answers_index(now, name, key, until_ms)
  for _, old in ipairs(redis.call('ZRANGEBYSCORE', name, '-inf', now, 'LIMIT', 0, SWEEP)) do
    redis.call('ZREM', name, old)
  end
  redis.call('ZADD', name, until_ms, key)
  -- Never sooner: an answer of longer standing may be in it.
  if redis.call('PTTL', name) < until_ms - now then redis.call('PEXPIRE', name, until_ms - now) end
end

local function answers_bound(now, max_entries, max_bytes)
  for _, entry in ipairs(redis.call('ZRANGEBYSCORE', ROOT .. ':all', '-inf', now, 'LIMIT', 0, SWEEP)) do
    redis.call('UNLINK', answers_name(answers_forget(entry)))
  end
  for _ = 1, SWEEP do
    local bytes = tonumber(redis.call('GET', ROOT .. ':bytes') or 0)
    if bytes <= max_bytes and redis.call('ZCARD', ROOT .. ':all') <= max_entries then return end
    local first = redis.call('ZRANGE', ROOT .. ':all', 0, 0)[1]
    if not first then
      redis.call('DEL', ROOT .. ':bytes')
      return
    end
    redis.call('UNLINK', answers_name(answers_forget(first)))
  end
end

-- bounds: {max_entries, max_bytes}. What is kept the shortest goes first.
local function answers_put(now, key, packed, ttl, kept, user, endpoint, bounds)
  local weight = #packed + ANSWER_OVERHEAD
  answers_drop(key)
  if weight > bounds[2] then return end
  local name, ends = answers_name(key), now + ttl + kept
  redis.call('HSET', name, 'p', packed, 't', now, 'f', now + ttl, 'k', ends, 'u', user, 'e', endpoint)
  redis.call('PEXPIRE', name, ttl + kept)
  redis.call('ZADD', ROOT .. ':all', ends, answers_entry(key, weight))
  redis.call('INCRBY', ROOT .. ':bytes', weight)
  answers_index(now, ROOT .. ':u:' .. user, key, ends)
  answers_index(now, ROOT .. ':e:' .. endpoint, key, ends)
  answers_bound(now, bounds[1], bounds[2])
end
