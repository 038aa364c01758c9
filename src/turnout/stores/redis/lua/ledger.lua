-- The ledger: accounts of what is spent and reserved, and the leases that reserve. stores/ledger.py is its twin.
-- Amounts are whole numbers (nano-USD, tokens, requests) below 2^53; times are ms of Redis' own clock.
--
-- An account: a hash, s = spent, r = reserved. Of a calendar window {root}:b:<start>-<end>:<key>; of a sliding one
-- {root}:b:r<seconds>:<key> in USD, {root}:t:... in tokens, {root}:q:... in requests. A sliding one has a field more
-- for each stamp under which an amount stands, and a sorted set of the stamps, <account>:z.
-- A lease: a hash {root}:l:<lease>, e = when it ends, n = how long it was, p = its parts, x = its time is over.
-- {root}:leases holds those whose time is not over, by when they end.
--
-- What Redis' own expiry takes is long over: an account lives a window's length beyond its last use.

-- sliding.py says what these are.
local EXACT, SLOTS = 4096, 4096
-- What a refused budget says while reservations are out that may be given back.
local SHORT_MS = 1000
-- Leases ended, and stamps read, in one step.
local BATCH = 100

local accounts = {}

local function num(value)
  return string.format('%.0f', value)
end

-- The clock went back: what was added in its future counts as of now.
local function sliding_turn_back(account, now)
  local later = redis.call('ZRANGEBYSCORE', account.z, '(' .. num(now), '+inf')
  local moved = 0
  for _, stamp in ipairs(later) do
    moved = moved + tonumber(redis.call('HGET', account.name, stamp) or 0)
    redis.call('HDEL', account.name, stamp)
    redis.call('ZREM', account.z, stamp)
  end
  local stamp = num(math.ceil(now / account.grain) * account.grain)
  redis.call('HINCRBY', account.name, stamp, num(moved))
  redis.call('ZADD', account.z, stamp, stamp)
end

local function sliding_drop(account, now)
  local newest = redis.call('ZREVRANGE', account.z, 0, 0)[1]
  if not newest then return end
  if tonumber(newest) >= now + account.grain then sliding_turn_back(account, now) end
  local gone = redis.call('ZRANGEBYSCORE', account.z, '-inf', num(now - account.window))
  for at = 1, #gone, BATCH do
    local some = {unpack(gone, at, math.min(at + BATCH - 1, #gone))}
    local total = 0
    for _, amount in ipairs(redis.call('HMGET', account.name, unpack(some))) do
      total = total + tonumber(amount or 0)
    end
    redis.call('HDEL', account.name, unpack(some))
    redis.call('ZREM', account.z, unpack(some))
    redis.call('HINCRBY', account.name, 's', num(-total))
  end
end

-- window: in ms; 0: a calendar window, which ends at `ends`.
local function account_open(name, now, window, limit, ends)
  local account = accounts[name]
  if account then return account end
  account = {name = name, z = name .. ':z', window = window, ends = ends}
  account.grain = limit <= EXACT and 1 or math.ceil(window / SLOTS)
  if window > 0 then sliding_drop(account, now) end
  local told = redis.call('HMGET', name, 's', 'r')
  account.spent, account.reserved = tonumber(told[1] or 0), tonumber(told[2] or 0)
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

-- As of `at`, which may be earlier than now. Returns the stamp to take it back by.
local function account_spend(account, now, at, amount)
  account.spent = account.spent + amount
  redis.call('HINCRBY', account.name, 's', num(amount))
  if account.window == 0 then
    account_keep(account, math.max(0, account.ends - now) + 86400000)
    return '0'
  end
  local stamp = num(math.ceil(at / account.grain) * account.grain)
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
  -- Never below nothing: Redis may have been told to throw accounts away.
  if redis.call('HINCRBY', account.name, 'r', num(amount)) < 0 then redis.call('HSET', account.name, 'r', 0) end
end

-- In how many ms at least `excess` will have left; a whole window where that is never.
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

-- In how many ms something next leaves; 0 where nothing is in the window.
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

-- ------------------------------------------------------------------------------------------------- leases

local function lease_name(lease)
  return ROOT .. ':l:' .. lease
end

-- A part is {unit, account's name, window, limit, ends, amount, stamp}; numbers as text: cjson rounds to 14 digits.
local function part_account(part, now)
  return account_open(part[2], now, tonumber(part[3]), tonumber(part[4]), tonumber(part[5]))
end

local function part_of(unit, account, limit, amount, stamp)
  return {unit, account.name, num(account.window), num(limit), num(account.ends), num(amount), stamp}
end

local function lease_write(lease, length, parts)
  redis.call('HSET', lease_name(lease), 'p', cjson.encode(parts))
  redis.call('PEXPIRE', lease_name(lease), num(2 * length))
end

local function lease_read(lease)
  local told = redis.call('HMGET', lease_name(lease), 'e', 'n', 'x', 'p')
  if not told[4] then return nil end
  return {ends = tonumber(told[1]), length = tonumber(told[2]), over = told[3] == '1', parts = cjson.decode(told[4])}
end

local function lease_open(now, lease, length, parts)
  for _, part in ipairs(parts) do
    if part[1] ~= 'requests' then
      local account = part_account(part, now)
      account_reserve(account, tonumber(part[6]))
      account_keep(account, math.max(2 * account.window, 2 * length))
    end
  end
  redis.call('HSET', lease_name(lease), 'e', num(now + length), 'n', num(length))
  lease_write(lease, length, parts)
  redis.call('ZADD', ROOT .. ':leases', num(now + length), lease)
end

-- Nobody came back: all that is reserved counts as spent, as of the lease's end. It is kept as long again, for a
-- settlement that comes late.
local function lease_end(now, name)
  local lease = lease_read(name)
  if not lease then return end
  for _, part in ipairs(lease.parts) do
    if part[1] ~= 'requests' then
      local account = part_account(part, now)
      account_reserve(account, -tonumber(part[6]))
      part[7] = account_spend(account, now, math.min(now, lease.ends), tonumber(part[6]))
    end
  end
  redis.call('HSET', lease_name(name), 'x', 1)
  lease_write(name, lease.length, lease.parts)
end

local function leases_sweep(now)
  local over = redis.call('ZRANGEBYSCORE', ROOT .. ':leases', '-inf', num(now), 'LIMIT', 0, BATCH)
  for _, name in ipairs(over) do
    redis.call('ZREM', ROOT .. ':leases', name)
    lease_end(now, name)
  end
end

-- Corrects to what was really used; nil: that never came, and what is reserved is spent. An unknown lease changes
-- nothing. refused: nothing was called, the requests are given back too.
local function lease_settle(now, name, cost, tokens, refused)
  local lease = lease_read(name)
  if not lease then return end
  redis.call('DEL', lease_name(name))
  redis.call('ZREM', ROOT .. ':leases', name)
  for _, part in ipairs(lease.parts) do
    local account, amount = part_account(part, now), tonumber(part[6])
    if part[1] == 'requests' then
      if refused then account_take_back(account, part[7], amount) end
    else
      local used = tokens
      if part[1] == 'usd' then used = cost end
      if not lease.over then
        account_reserve(account, -amount)
      elseif used then
        account_take_back(account, part[7], amount)
      end
      local more = used or (not lease.over and amount) or 0
      if more > 0 then account_spend(account, now, now, more) end
    end
  end
end

local function lease_top_up(now, name, cost, tokens)
  local lease = lease_read(name)
  if not lease or lease.over then return false end
  local function more(part) return part[1] == 'usd' and cost or tokens end
  for _, part in ipairs(lease.parts) do
    if part[1] ~= 'requests' and account_used(part_account(part, now)) + more(part) > tonumber(part[4]) then
      return false
    end
  end
  for _, part in ipairs(lease.parts) do
    if part[1] ~= 'requests' then
      account_reserve(part_account(part, now), more(part))
      part[6] = num(tonumber(part[6]) + more(part))
    end
  end
  lease_write(name, lease.length, lease.parts)
  return true
end
