-- Restores accounts, from the states that workers remember, in a Redis that came back empty: the most that any worker
-- remembers is what counts, and what was spent since is added to it. Each claim is followed by its state:
--   rates    {{key, limit, window_s, unit, amount, policy, remaining, reset_ms}, ...}
--   budgets  {{key, limit, windows, rolling_s, policy, spent, reserved, start, end}, ...}
-- What was reserved counts as spent: its settlement will find no lease.
-- One that came back with an older state of itself has a name that begins with OLDER (rename.lua): what stands in an
-- account when it is first restored there is part of what workers remember.
local OLDER = 'older '

-- b = what was restored so far. bn = the name of the Redis that came back older when it was.
local function account_restore(account, now, at, used)
  local name = redis.call('GET', ROOT .. ':name')
  if name and name:sub(1, #OLDER) == OLDER and redis.call('HGET', account.name, 'bn') ~= name then
    redis.call('HSET', account.name, 'b', num(account_used(account)), 'bn', name)
  end
  local before = tonumber(redis.call('HGET', account.name, 'b') or 0)
  if used <= before then return end
  account_spend(account, now, at, used - before)
  redis.call('HSET', account.name, 'b', num(used))
end

local function rates_restore(now, states)
  for _, claim in ipairs(states) do
    account_restore(rate_account(now, claim), now, now, claim[2] - claim[7])
  end
end

local function budgets_restore(now, states)
  for _, claim in ipairs(states) do
    local used, starts, ends = claim[6] + claim[7], claim[8] * 1000, claim[9] * 1000
    if claim[4] > 0 then
      -- It was spent when the state was returned, at the latest.
      if ends > now - claim[4] * 1000 then account_restore(budget_account(now, claim), now, math.min(ends, now), used) end
    elseif starts <= now and now < ends then
      local name = string.format('%s:b:%.0f-%.0f:%s', ROOT, claim[8], claim[9], claim[1])
      account_restore(account_open(name, now, 0, claim[2], ends), now, now, used)
    end
  end
end
