-- Allowances: what each worker may spend of a budget by itself while it cannot ask here, set aside from all others, its
-- own requests included. In the worker: stores/allowances.py.
--
-- {root}:w<rest of the account's name>: a hash, worker -> "<nano-USD> <version> <when it was last told, ms> <session>". The
-- account's field w says that there is one. All of them together with what is spent and reserved never exceed the
-- limit. Only its worker lowers one: a worker that may be cut off still counts on it.

-- A worker uses it for so long after it was last told of it; it is kept for twice as long.
local ALLOWANCE_MS = 3600000

local function allowances_name(name)
  return ROOT .. ':w' .. name:sub(#ROOT + 1)
end

-- Returns the allowances of an account by worker, and their sum.
local function allowances_of(account, now)
  if account.allowances then return account.allowances, account.set_aside end
  account.allowances, account.set_aside = {}, 0
  local fields = account.has_allowances and redis.call('HGETALL', allowances_name(account.name)) or {}
  for at = 1, #fields, 2 do
    local amount, version, told, session = fields[at + 1]:match('^(%d+) (%d+) (%d+) (.*)$')
    if now - tonumber(told) < 2 * ALLOWANCE_MS then
      account.allowances[fields[at]] = {
        amount = tonumber(amount), version = tonumber(version), told = tonumber(told), session = session,
      }
      account.set_aside = account.set_aside + tonumber(amount)
    else
      redis.call('HDEL', allowances_name(account.name), fields[at])
    end
  end
  return account.allowances, account.set_aside
end

local function allowance_write(account, worker, own)
  local text = table.concat({num(own.amount), num(own.version), num(own.told), own.session}, ' ')
  redis.call('HSET', allowances_name(account.name), worker, text)
  redis.call('PEXPIRE', allowances_name(account.name), num(2 * ALLOWANCE_MS))
  redis.call('HSET', account.name, 'w', 1)
  account_keep(account, 2 * ALLOWANCE_MS)
end

-- Asks every worker for its allowance of this account that is more than `above`. Returns how many were reached.
local function allowances_recall(now, account, above)
  local reached = 0
  for _, own in pairs(allowances_of(account, now)) do
    if own.amount > above then
      local message = 'yield\n' .. account.name:sub(#ROOT + 2)
      reached = reached + redis.call('PUBLISH', ROOT .. ':p:' .. own.session, message)
    end
  end
  return reached
end

-- Raises a worker's allowance to its part of one half of what is left, where that is at least `least`, and at least
-- twice what it has. Returns {nano-USD, version, ms for which it may be used}, whole numbers as text.
local function allowance_grant(now, account, limit, worker, session, least, version)
  local held, set_aside = allowances_of(account, now)
  local own = held[worker] or {amount = 0, version = 0, told = 0, session = session}
  local left = limit - account_used(account)
  local workers = math.max(1, redis.call('ZCARD', ROOT .. ':workers'))
  local part, room = left / (2 * workers), left / 2 - (set_aside - own.amount)
  -- They were given theirs when more was left, or fewer workers were there.
  if room < part and own.amount < part / 2 then allowances_recall(now, account, part) end
  local amount = math.floor(math.min(part, room))
  if amount > 0 and amount >= least and amount >= 2 * own.amount then
    own = {amount = amount, version = version, told = now, session = session}
    allowance_write(account, worker, own)
  elseif own.amount > 0 and (own.session ~= session or now - own.told > ALLOWANCE_MS / 60) then
    own.told, own.session = now, session
    allowance_write(account, worker, own)
  end
  return {num(own.amount), num(own.version), num(ALLOWANCE_MS)}
end

-- Lowers a worker's allowance by what it spent or reserved of it.
local function allowance_lower(now, account, worker, amount)
  local own = allowances_of(account, now)[worker]
  if not own then return end
  own.amount = math.max(0, own.amount - amount)
  allowance_write(account, worker, own)
end
