-- Rate limits. The functions that enter.lua and leave.lua call; see the top of enter.lua for the claims.

-- nil where every claim fits; else the index (from 1) of one that does not, and in how many ms it would.
local function rates_check(now, claims)
  return nil
end

-- Takes what the claims say. with_tokens: of a Lead tokens too, of a hit and a follower requests alone; what a
-- lease took in tokens is kept under it for rates_settle.
local function rates_take(now, claims, lease, lease_ms, with_tokens)
end

-- For each claim {remaining, ms until it is next more}, whole numbers as text (string.format('%.0f')).
local function rates_states(now, claims)
  return {}
end

-- tokens: what the lease's call really used; nil where that never came: what was taken stands.
local function rates_settle(now, lease, tokens)
end
