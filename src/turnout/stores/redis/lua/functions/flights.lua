-- Flights: the lease of the call in progress for a key, {root}:f:<key> = "<until, ms since 1970> <lease>". The process
-- that holds the lease extends `until` for as long as its call is alive (beat.lua), so that the lease of a process that
-- was killed ends within seconds.

local function flights_name(key)
  return ROOT .. ':f:' .. key
end

-- Returns the lease of the call in progress, or nil.
local function flights_holder(now, key)
  local held = redis.call('GET', flights_name(key))
  if not held then return nil end
  local ends, lease = held:match('^(%d+) (.*)$')
  return tonumber(ends) > now and lease or nil
end

local function flights_hold(now, key, lease, hold)
  redis.call('SET', flights_name(key), string.format('%.0f %s', now + hold, lease), 'PX', hold)
end

local function flights_end(now, key, lease)
  if flights_holder(now, key) == lease then redis.call('DEL', flights_name(key)) end
end
