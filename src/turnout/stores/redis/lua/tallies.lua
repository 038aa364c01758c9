-- tallies
-- Shares of expensive calls that processes keep together: {root}:s:<name>, a hash of d, the debt in millionths of a
-- call, and n, how many scores were ever added; {root}:w:<name>, a list of the newest scores, 8 bytes each as they
-- came, the newest last. The name tells who scores and which share, so another version keeps its own. Nobody has
-- asked for a day: forgotten.
local TALLIED, TALLY_KEPT_MS = 400, 86400000

local function tally_name(name)
  return ROOT .. ':s:' .. name
end

-- The debt as text.
local function tally_debt(name)
  return redis.call('HGET', tally_name(name), 'd') or '0'
end

-- What others added since this count, then ours is added. Returns {debt, count, scores, processes}.
local function tally_add(name, debt, since, scores)
  local hash = tally_name(name)
  local list = ROOT .. ':w:' .. name
  local before = tonumber(redis.call('HGET', hash, 'n') or 0)
  local new = since > before and before or before - since
  local told = new > 0 and table.concat(redis.call('LRANGE', list, -math.min(new, TALLIED), -1)) or ''
  for at = 1, #scores, 8 do redis.call('RPUSH', list, scores:sub(at, at + 7)) end
  redis.call('LTRIM', list, -TALLIED, -1)
  local count = redis.call('HINCRBY', hash, 'n', #scores / 8)
  local owed = redis.call('HINCRBY', hash, 'd', debt)
  redis.call('PEXPIRE', hash, TALLY_KEPT_MS)
  redis.call('PEXPIRE', list, TALLY_KEPT_MS)
  return {owed, count, told, redis.call('ZCARD', ROOT .. ':workers')}
end
