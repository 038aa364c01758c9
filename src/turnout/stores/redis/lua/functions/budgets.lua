-- Budgets, in nano-USD. A claim: {key, limit, windows, rolling_s, policy}; see enter.lua.

-- Returns the claim's window that contains now, in ms, or nil.
local function budget_window(now, claim)
  if claim[4] > 0 then return now - claim[4] * 1000, now end
  for _, window in ipairs(claim[3]) do
    if window[1] * 1000 <= now and now < window[2] * 1000 then return window[1] * 1000, window[2] * 1000 end
  end
end

local function budget_account(now, claim)
  if claim[4] > 0 then
    return account_open(ROOT .. ':b:r' .. claim[4] .. ':' .. claim[1], now, claim[4] * 1000, claim[2], 0)
  end
  local starts, ends = budget_window(now, claim)
  if not starts then return nil end
  local name = string.format('%s:b:%.0f-%.0f:%s', ROOT, starts / 1000, ends / 1000, claim[1])
  return account_open(name, now, 0, claim[2], ends)
end

-- Returns what of an account cannot be reserved: spent, reserved, or set aside as workers' allowances.
local function budget_taken(now, account)
  local _, set_aside = allowances_of(account, now)
  return account_used(account) + set_aside, set_aside
end

-- recalled: as if no allowance were set aside.
local function budgets_have_room(now, claims, amount, recalled)
  for _, claim in ipairs(claims) do
    local account = budget_account(now, claim)
    if not account then return false end
    local taken = recalled and account_used(account) or budget_taken(now, account)
    if taken + amount > claim[2] then return false end
  end
  return true
end

local function budget_wait(now, claim, amount)
  local account = budget_account(now, claim)
  if not account then return SHORT_WAIT_MS end
  local taken, set_aside = budget_taken(now, account)
  local excess = taken + amount - claim[2]
  if excess <= 0 then return nil end
  if excess <= account.reserved + set_aside and amount <= claim[2] then return SHORT_WAIT_MS end
  if account.window > 0 then return account_wait(account, now, excess - account.reserved - set_aside) end
  return account.ends - now
end

-- Returns the index, from 0, of the first of `worst` (dearest first) that fits every claim. Where none does: nil, the
-- index (from 1) of the claim with the longest wait, and its ms. Takes nothing.
local function budgets_fit(now, claims, worst)
  if #claims == 0 then return 0 end
  for index, amount in ipairs(worst) do
    if budgets_have_room(now, claims, amount) then return index - 1 end
  end
  local refused, longest
  for index, claim in ipairs(claims) do
    local wait = budget_wait(now, claim, worst[#worst])
    if wait and (not longest or wait > longest) then refused, longest = index, wait end
  end
  return nil, refused, longest
end

-- Where a dearer one of `worst` than the one that fits (its index from 0; nil: none) would fit without the allowances,
-- asks for those. Returns how many workers were reached.
local function budgets_recall(now, claims, worst, fits)
  for index = 1, fits or #worst do
    if budgets_have_room(now, claims, worst[index], true) then
      local reached = 0
      for _, claim in ipairs(claims) do
        local account = budget_account(now, claim)
        if budget_taken(now, account) + worst[index] > claim[2] then
          reached = reached + allowances_recall(now, account, 0)
        end
      end
      return reached
    end
  end
  return 0
end

-- Returns for each claim this worker's allowance, raised where there is room.
local function budgets_allow(now, claims, worker, session, least, version)
  local allowances = {}
  for _, claim in ipairs(claims) do
    local account = budget_account(now, claim)
    table.insert(allowances, allowance_grant(now, account, claim[2], worker, session, least, version))
  end
  return allowances
end

-- Returns the worst case as parts of a lease.
local function budgets_parts(now, claims, amount)
  local parts = {}
  for _, claim in ipairs(claims) do
    table.insert(parts, part_of('usd', budget_account(now, claim), claim[2], amount, '0'))
  end
  return parts
end

-- Returns for each claim {spent, reserved, start, end}, whole numbers as text; start and end in seconds.
local function budgets_states(now, claims)
  local states = {}
  for _, claim in ipairs(claims) do
    local account = budget_account(now, claim)
    local starts, ends = budget_window(now, claim)
    if account then
      local window = {string.format('%.3f', starts / 1000), string.format('%.3f', ends / 1000)}
      table.insert(states, {num(account.spent), num(account.reserved), window[1], window[2]})
    else
      table.insert(states, {'0', '0', '0', '0'})
    end
  end
  return states
end
