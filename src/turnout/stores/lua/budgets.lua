-- Budgets, in nano-USD. The functions that enter.lua, leave.lua and top_up.lua call; see the top of enter.lua.

-- Reserves the first of `worst` (dearest first) that fits every claim: its index from 0. Where none does:
-- nil, the index (from 1) of the claim that refused, in how many ms it might fit.
local function budgets_reserve(now, lease, lease_ms, claims, worst)
  return 0
end

-- For each claim {spent, reserved, start, end}, whole numbers as text (string.format('%.0f')).
local function budgets_states(now, claims)
  return {}
end

-- cost: what the lease's call really cost; nil where that never came: all that is reserved is spent.
-- A lease that is unknown or settled already changes nothing.
local function budgets_settle(now, lease, cost)
end

-- Whether this much more could be reserved under the lease.
local function budgets_top_up(now, lease, amount)
  return true
end
