-- Stored answers: a hash each, {root}:a:<key>, with the packed bytes (p) and, in ms since 1970, when it was
-- stored (t), until when it is fresh (f) and until when it is kept (k). Its time is judged by clock_ms; Redis'
-- own expiry only sweeps.

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

local function answers_put(now, key, packed, ttl, kept, user, endpoint)
  local name = answers_name(key)
  redis.call('DEL', name)
  redis.call('HSET', name, 'p', packed, 't', now, 'f', now + ttl, 'k', now + ttl + kept, 'u', user, 'e', endpoint)
  redis.call('PEXPIRE', name, ttl + kept)
end
