-- Rate limits, in requests, in tokens and in calls in progress. A claim: {key, limit, window_s, unit, amount, policy}; see enter.lua.

local RATE_KINDS = {requests = ':q:', tokens = ':t:', calls = ':n:'}

local function rate_account(now, claim)
  return account_open(ROOT .. RATE_KINDS[claim[4]] .. claim[3] .. ':' .. claim[1], now, claim[3] * 1000, claim[2], 0)
end

local function rate_wait(now, claim, account, excess)
  if claim[5] > claim[2] then return claim[3] * 1000 end
  if excess <= account.reserved then return SHORT_WAIT_MS end
  return account_wait(account, now, excess - account.reserved)
end

-- Returns nil where every claim fits, of those of requests or of the others; else the index (from 1) of the one with the longest wait, and its ms.
local function rates_check(now, claims, requests)
  local refused, longest
  for index, claim in ipairs(claims) do
    if (claim[4] == 'requests') == requests then
      local account = rate_account(now, claim)
      local excess = account_used(account) + claim[5] - claim[2]
      if excess > 0 then
        local wait = rate_wait(now, claim, account, excess)
        if not longest or wait > longest then refused, longest = index, wait end
      end
    end
  end
  return refused, longest
end

-- Takes the requests that the claims name. Returns them as parts of a lease.
local function rates_take(now, claims)
  local parts = {}
  for _, claim in ipairs(claims) do
    if claim[4] == 'requests' then
      local account = rate_account(now, claim)
      local stamp = account_spend(account, now, now, claim[5])
      table.insert(parts, part_of('requests', account, claim[2], claim[5], stamp))
    end
  end
  return parts
end

-- Returns the tokens that a call may use, and its place among those in progress, as parts of a lease.
local function rates_reserved(now, claims)
  local parts = {}
  for _, claim in ipairs(claims) do
    if claim[4] ~= 'requests' then
      table.insert(parts, part_of(claim[4], rate_account(now, claim), claim[2], claim[5], '0'))
    end
  end
  return parts
end

-- Returns for each claim {remaining, ms until that next grows}, whole numbers as text.
local function rates_states(now, claims)
  local states = {}
  for _, claim in ipairs(claims) do
    local account = rate_account(now, claim)
    table.insert(states, {num(math.max(0, claim[2] - account_used(account))), num(account_next(account, now))})
  end
  return states
end
