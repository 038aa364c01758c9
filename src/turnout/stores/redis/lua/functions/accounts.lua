-- Accounts: spent and reserved amounts of limits and budgets. In memory: memory/accounts.py and sliding_window.py.
-- Amounts are whole numbers (nano-USD, tokens, requests) below 2^53; times are ms of Redis' own clock.
--
-- An account: a hash, s = spent, r = reserved. Of a calendar window {root}:b:<start>-<end>:<key>; of a sliding one
-- {root}:b:r<seconds>:<key> in USD, {root}:t:... in tokens, {root}:q:... in requests. Of a
-- user's calls in progress {root}:n:0:<key>. A sliding one has one more
-- field for each stamp that an amount is kept under, and a sorted set of the stamps, {root}:z:<rest of its name>: what a
-- caller chooses stands last in every name, so that none can be another's.
--
-- Redis' own expiry removes only what counts no longer: an account lives a window's length beyond its last use.

-- As in memory/sliding_window.py.
local EXACT, SLOTS = 4096, 4096
-- How long a refused budget asks to wait while reservations are open that may be given back.
local SHORT_WAIT_MS = 1000
-- Leases expired, and stamps read, in one step.
local BATCH = 100

local accounts = {}

local function num(value)
  -- + 0: a negative zero would be written as -0, which is no integer to Redis.
  return string.format('%.0f', value + 0)
end

-- The clock was set back: what was added in its future counts as of now.
local function window_turn_back(account, now)
  local later = redis.call('ZRANGEBYSCORE', account.z, '(' .. num(now), '+inf')
  local moved = 0
  for _, stamp in ipairs(later) do
    moved = moved + tonumber(redis.call('HGET', account.name, stamp) or 0)
    redis.call('HDEL', account.name, stamp)
    redis.call('ZREM', account.z, stamp)
  end
  local stamp = num(math.ceil(now / account.slot) * account.slot)
  redis.call('HINCRBY', account.name, stamp, num(moved))
  redis.call('ZADD', account.z, stamp, stamp)
end

-- Removes what has left the sliding window.
local function window_expire(account, now)
  local newest = redis.call('ZREVRANGE', account.z, 0, 0)[1]
  if not newest then return end
  if tonumber(newest) >= now + account.slot then window_turn_back(account, now) end
  local expired = redis.call('ZRANGEBYSCORE', account.z, '-inf', num(now - account.window))
  for at = 1, #expired, BATCH do
    local batch = {unpack(expired, at, math.min(at + BATCH - 1, #expired))}
    local total = 0
    for _, amount in ipairs(redis.call('HMGET', account.name, unpack(batch))) do
      total = total + tonumber(amount or 0)
    end
    redis.call('HDEL', account.name, unpack(batch))
    redis.call('ZREM', account.z, unpack(batch))
    redis.call('HINCRBY', account.name, 's', num(-total))
  end
end

-- window: in ms; 0: a calendar window, which ends at `ends`.
local function account_open(name, now, window, limit, ends)
  local account = accounts[name]
  if account then return account end
  account = {name = name, z = ROOT .. ':z' .. name:sub(#ROOT + 1), window = window, ends = ends}
  account.slot = limit <= EXACT and 1 or math.ceil(window / SLOTS)
  if window > 0 then window_expire(account, now) end
  local values = redis.call('HMGET', name, 's', 'r', 'w')
  account.spent, account.reserved = tonumber(values[1] or 0), tonumber(values[2] or 0)
  account.has_allowances = values[3] ~= false
  accounts[name] = account
  return account
end

local function account_used(account)
  return account.spent + account.reserved
end

-- Keeps it at least this long from now.
local function account_keep(account, ms)
  if redis.call('PTTL', account.name) < ms then
    redis.call('PEXPIRE', account.name, num(ms))
    if account.window > 0 then redis.call('PEXPIRE', account.z, num(ms)) end
  end
end

-- Adds an amount as of `at`, which may be earlier than now. Returns the stamp to take it back by.
local function account_spend(account, now, at, amount)
  account.spent = account.spent + amount
  redis.call('HINCRBY', account.name, 's', num(amount))
  if account.window == 0 then
    account_keep(account, math.max(0, account.ends - now) + 86400000)
    return '0'
  end
  local stamp = num(math.ceil(at / account.slot) * account.slot)
  redis.call('HINCRBY', account.name, stamp, num(amount))
  redis.call('ZADD', account.z, stamp, stamp)
  account_keep(account, 2 * account.window)
  return stamp
end

local function account_take_back(account, stamp, amount)
  if account.window > 0 then
    if not redis.call('ZSCORE', account.z, stamp) then return end
    redis.call('HINCRBY', account.name, stamp, num(-amount))
  end
  account.spent = account.spent - amount
  redis.call('HINCRBY', account.name, 's', num(-amount))
end

local function account_reserve(account, amount)
  account.reserved = account.reserved + amount
  -- Never below zero: Redis may have evicted the account.
  if redis.call('HINCRBY', account.name, 'r', num(amount)) < 0 then redis.call('HSET', account.name, 'r', 0) end
end

-- Returns in how many ms at least `excess` will have left; a whole window where that is never.
local function account_wait(account, now, excess)
  for from = 0, SLOTS + 1, BATCH do
    local stamps = redis.call('ZRANGE', account.z, from, from + BATCH - 1)
    if #stamps == 0 then break end
    for index, amount in ipairs(redis.call('HMGET', account.name, unpack(stamps))) do
      excess = excess - tonumber(amount or 0)
      if excess <= 0 then return math.max(1, tonumber(stamps[index]) + account.window - now) end
    end
  end
  return account.window
end

-- Returns in how many ms an amount next leaves; 0 where the window is empty.
local function account_next(account, now)
  for from = 0, SLOTS + 1, BATCH do
    local stamps = redis.call('ZRANGE', account.z, from, from + BATCH - 1)
    if #stamps == 0 then break end
    for index, amount in ipairs(redis.call('HMGET', account.name, unpack(stamps))) do
      if tonumber(amount or 0) > 0 then return tonumber(stamps[index]) + account.window - now end
    end
  end
  return 0
end
