-- Leases: what each call in progress reserves, until it is settled. In memory: memory/ledger.py.
--
-- A lease: a hash {root}:l:<lease>, e = when it ends, n = its length, p = its parts, x = it has expired.
-- {root}:leases has those that have not expired, by when they end.

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
  local values = redis.call('HMGET', lease_name(lease), 'e', 'n', 'x', 'p')
  if not values[4] then return nil end
  local ends, length, expired = tonumber(values[1]), tonumber(values[2]), values[3] == '1'
  return {ends = ends, length = length, expired = expired, parts = cjson.decode(values[4])}
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

-- No settlement came: everything reserved counts as spent, as of the lease's end. The lease is kept for as long again:
-- a late settlement still corrects it.
local function lease_expire(now, name)
  local lease = lease_read(name)
  if not lease then return end
  for _, part in ipairs(lease.parts) do
    if part[1] ~= 'requests' then
      local account = part_account(part, now)
      account_reserve(account, -tonumber(part[6]))
      if part[1] ~= 'calls' then
        part[7] = account_spend(account, now, math.min(now, lease.ends), tonumber(part[6]))
      end
    end
  end
  redis.call('HSET', lease_name(name), 'x', 1)
  lease_write(name, lease.length, lease.parts)
end

local function leases_sweep(now)
  local expired = redis.call('ZRANGEBYSCORE', ROOT .. ':leases', '-inf', num(now), 'LIMIT', 0, BATCH)
  for _, name in ipairs(expired) do
    redis.call('ZREM', ROOT .. ':leases', name)
    lease_expire(now, name)
  end
end

-- Replaces what is reserved by what was really used; nil: that is unknown, and what is reserved is spent. An unknown
-- lease changes nothing. refused: nothing was called, the requests are given back too.
local function lease_settle(now, name, cost, tokens, refused)
  local lease = lease_read(name)
  if not lease then return end
  redis.call('DEL', lease_name(name))
  redis.call('ZREM', ROOT .. ':leases', name)
  for _, part in ipairs(lease.parts) do
    local account, amount = part_account(part, now), tonumber(part[6])
    if part[1] == 'requests' then
      if refused then account_take_back(account, part[7], amount) end
    elseif part[1] == 'calls' then
      if not lease.expired then account_reserve(account, -amount) end
    else
      local used = tokens
      if part[1] == 'usd' then used = cost end
      if not lease.expired then
        account_reserve(account, -amount)
      elseif used then
        account_take_back(account, part[7], amount)
      end
      local spent = used or (not lease.expired and amount) or 0
      if spent > 0 then account_spend(account, now, now, spent) end
    end
  end
end

-- Returns 1, or 0 where it does not fit; -1 where it would but for allowances, whose workers were asked for them.
local function lease_top_up(now, name, cost, tokens)
  local lease = lease_read(name)
  if not lease or lease.expired then return 0 end
  local function grows(part) return part[1] == 'usd' or part[1] == 'tokens' end
  local function addition(part) return part[1] == 'usd' and cost or tokens end
  local blocked = {}
  for _, part in ipairs(lease.parts) do
    if grows(part) then
      local account = part_account(part, now)
      local _, set_aside = allowances_of(account, now)
      local room = tonumber(part[4]) - account_used(account) - addition(part)
      if room < 0 then return 0 end
      if room < set_aside then table.insert(blocked, account) end
    end
  end
  if #blocked > 0 then
    local reached = 0
    for _, account in ipairs(blocked) do reached = reached + allowances_recall(now, account, 0) end
    return reached > 0 and -1 or 0
  end
  for _, part in ipairs(lease.parts) do
    if grows(part) then
      account_reserve(part_account(part, now), addition(part))
      part[6] = num(tonumber(part[6]) + addition(part))
    end
  end
  lease_write(name, lease.length, lease.parts)
  return 1
end
