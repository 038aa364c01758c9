-- A process' sign of life: keeps its flights held, says which of those that it follows are no longer.
--
-- ARGV[1] the process  ARGV[2] how long a flight is held, ms  ARGV[3] how long a process counts as seen, ms
-- ARGV[4] how many flights it holds, then key and lease of each, then key and lease of each that it follows
-- Returns {Redis' own name: another one means that it came back empty, processes seen, index (from 1, among the
-- followed) of each that nobody holds any more, ...}
local now, hold = clock_ms(), tonumber(ARGV[2])
-- The time is in it: the process that named the Redis that was lost may be the first to meet the new one.
redis.call('SET', ROOT .. ':name', ARGV[1] .. ' ' .. table.concat(redis.call('TIME'), '.'), 'NX')
local seen = ROOT .. ':workers'
redis.call('ZADD', seen, now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', seen, '-inf', now - tonumber(ARGV[3]))
redis.call('PEXPIRE', seen, ARGV[3])
local last_held = 4 + 2 * tonumber(ARGV[4])
for at = 5, last_held, 2 do
  if flights_holder(now, ARGV[at]) == ARGV[at + 1] then flights_hold(now, ARGV[at], ARGV[at + 1], hold) end
end
local told = {redis.call('GET', ROOT .. ':name'), redis.call('ZCARD', seen)}
for at = last_held + 1, #ARGV, 2 do
  if flights_holder(now, ARGV[at]) ~= ARGV[at + 1] then table.insert(told, (at - last_held + 1) / 2) end
end
return told
