-- Shares of expensive calls that all processes keep together: {root}:s:<name>, a hash of d, the debt in millionths of a
-- call, and n, how many scores were ever added; {root}:w:<name>, a list of the newest scores, 8 bytes each, the newest
-- last. The name has the scorer's version and the target, so that another version has its own. Forgotten a day after
-- the last addition.
-- As ports/sharing.py says.
local SHARED_SCORES = 400
local SHARE_KEPT_MS = 86400000

local function share_name(name)
  return ROOT .. ':s:' .. name
end

-- Returns the debt as text.
local function share_debt(name)
  return redis.call('HGET', share_name(name), 'd') or '0'
end

-- Reads what others added since this count, then adds. Returns {debt, count, others' scores, processes}.
local function share_add(name, debt, since, scores)
  local hash = share_name(name)
  local list = ROOT .. ':w:' .. name
  local before = tonumber(redis.call('HGET', hash, 'n') or 0)
  local new = since > before and before or before - since
  local others = new > 0 and table.concat(redis.call('LRANGE', list, -math.min(new, SHARED_SCORES), -1)) or ''
  for at = 1, #scores, 8 do redis.call('RPUSH', list, scores:sub(at, at + 7)) end
  redis.call('LTRIM', list, -SHARED_SCORES, -1)
  local count = redis.call('HINCRBY', hash, 'n', #scores / 8)
  local debt_of_all = redis.call('HINCRBY', hash, 'd', debt)
  redis.call('PEXPIRE', hash, SHARE_KEPT_MS)
  redis.call('PEXPIRE', list, SHARE_KEPT_MS)
  return {debt_of_all, count, others, redis.call('ZCARD', ROOT .. ':workers')}
end
