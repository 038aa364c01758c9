-- What a worker knows of the current windows, told again to a Redis that came back empty: the most that any
-- worker knows holds, and what was spent since is added to it. Called by restore.lua with the states as they stood,
-- each claim followed by its state:
--   rates    {{key, limit, window_s, unit, amount, policy, remaining, reset_ms}, ...}
--   budgets  {{key, limit, windows, rolling_s, policy, spent, reserved, start, end}, ...}
-- What was reserved then counts as spent: who would settle it finds no lease any more.

-- b = what was restored so far.
local function restore_to(account, now, at, used)
  local before = tonumber(redis.call('HGET', account.name, 'b') or 0)
  if used <= before then return end
  account_spend(account, now, at, used - before)
  redis.call('HSET', account.name, 'b', num(used))
end

local function rates_restore(now, told)
  for _, claim in ipairs(told) do
    restore_to(rate_account(now, claim), now, now, claim[2] - claim[7])
  end
end

local function budgets_restore(now, told)
  for _, claim in ipairs(told) do
    local used, starts, ends = claim[6] + claim[7], claim[8] * 1000, claim[9] * 1000
    if claim[4] > 0 then
      -- It was spent at its telling at the latest.
      if ends > now - claim[4] * 1000 then restore_to(budget_account(now, claim), now, math.min(ends, now), used) end
    elseif starts <= now and now < ends then
      local name = string.format('%s:b:%.0f-%.0f:%s', ROOT, claim[8], claim[9], claim[1])
      restore_to(account_open(name, now, 0, claim[2], ends), now, now, used)
    end
  end
end
