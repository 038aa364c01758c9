-- What checks taught: {root}:sl, sorted by number, of members `number, kind, user, user, value`, a line each. Kinds: `l`, a
-- lesson of these users, its value packed; `f`, a purge of the user, or with '' of all. Not a stream: there what is deleted
-- stays in memory for a while, readable. {root}:sc, a hash, holds the sums of checks. Both end 30 days after the last one.
-- {root}:sf:<what> is when a purge forgot a user's lessons, all ('') or the sums ('sums'), for a day.
local LESSONS, SUMS = ROOT .. ':sl', ROOT .. ':sc'
local MOST_LESSONS, LESSONS_KEPT_MS, FORGOTTEN_S = 20000, 30 * 86400000, 86400

local function forgotten_name(what)
  return ROOT .. ':sf:' .. what
end

-- Numbers rise, also above those of a set that was lost. Returns the number.
local function lesson_add(kind, user, other, value)
  local newest = redis.call('ZRANGE', LESSONS, -1, -1, 'WITHSCORES')[2]
  local number = string.format('%.0f', (tonumber(newest) or clock_ms() * 1000) + 1)
  redis.call('ZADD', LESSONS, number, table.concat({number, kind, user, other, value}, '\n'))
  redis.call('ZREMRANGEBYRANK', LESSONS, 0, -MOST_LESSONS - 1)
  redis.call('PEXPIRE', LESSONS, LESSONS_KEPT_MS)
  return number
end

-- Returns members after this number, '' for all.
local function lessons_since(last, count)
  return redis.call('ZRANGEBYSCORE', LESSONS, last == '' and '-inf' or '(' .. last, '+inf', 'LIMIT', 0, count)
end

-- Returns number, kind, user, user, value.
local function lesson_read(member)
  return member:match('^(%d+)\n(%a)\n([^\n]*)\n([^\n]*)\n(.*)$')
end
