-- A session's heartbeat: keeps its flights alive, and returns which of those that it follows are not.
--
-- ARGV[1] the session  ARGV[2] how long a flight stays alive, ms  ARGV[3] how long a session counts as seen, ms
-- ARGV[4] how many flights it holds, then key and lease of each, then key and lease of each that it follows
-- Returns {Redis' own name: a new one means that it came back empty or older, sessions seen, the requests counted by
-- enter.lua, index (from 1, among the
-- followed) of each that is no longer alive, ...}
local now, hold = clock_ms(), tonumber(ARGV[2])
-- With the time: the session that named the lost Redis may be the first to reach the new one.
redis.call('SET', ROOT .. ':name', ARGV[1] .. ' ' .. table.concat(redis.call('TIME'), '.'), 'NX')
local seen = ROOT .. ':workers'
redis.call('ZADD', seen, now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', seen, '-inf', now - tonumber(ARGV[3]))
redis.call('PEXPIRE', seen, ARGV[3])
local last_held = 4 + 2 * tonumber(ARGV[4])
for at = 5, last_held, 2 do
  if flights_holder(now, ARGV[at]) == ARGV[at + 1] then flights_hold(now, ARGV[at], ARGV[at + 1], hold) end
end
local reply = {redis.call('GET', ROOT .. ':name'), redis.call('ZCARD', seen), tonumber(redis.call('GET', ROOT .. ':count') or 0)}
for at = last_held + 1, #ARGV, 2 do
  if flights_holder(now, ARGV[at]) ~= ARGV[at + 1] then table.insert(reply, (at - last_held + 1) / 2) end
end
return reply
