-- What checks taught: {root}:sl, sorted by number, of members `number, kind, user, user, value`, a line each. Kinds: `l`, a
-- result of these users, its value packed; `f`, a purge of the user, or with '' of all. Not a stream: there what is deleted
-- stays in memory for a while, readable. {root}:sc, a hash, holds the sums of checks. Both end 30 days after the last one.
-- {root}:sf:<what> is when a purge forgot a user's results, all ('') or the sums ('sums'), for a day.
local RESULTS, SUMS = ROOT .. ':sl', ROOT .. ':sc'
local MOST_RESULTS, RESULTS_KEPT_MS, FORGOTTEN_S = 20000, 30 * 86400000, 86400

local function forgotten_name(what)
  return ROOT .. ':sf:' .. what
end

-- Numbers rise, also above those of a set that was lost. Returns the number.
local function result_add(kind, user, other, value)
  local newest = redis.call('ZRANGE', RESULTS, -1, -1, 'WITHSCORES')[2]
  local number = string.format('%.0f', (tonumber(newest) or clock_ms() * 1000) + 1)
  redis.call('ZADD', RESULTS, number, table.concat({number, kind, user, other, value}, '\n'))
  redis.call('ZREMRANGEBYRANK', RESULTS, 0, -MOST_RESULTS - 1)
  redis.call('PEXPIRE', RESULTS, RESULTS_KEPT_MS)
  return number
end

-- Returns members after this number, '' for all.
local function results_since(last, count)
  return redis.call('ZRANGEBYSCORE', RESULTS, last == '' and '-inf' or '(' .. last, '+inf', 'LIMIT', 0, count)
end

-- Returns number, kind, user, user, value.
local function result_read(member)
  return member:match('^(%d+)\n(%a)\n([^\n]*)\n([^\n]*)\n(.*)$')
end
