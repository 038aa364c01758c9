-- Adds to sums of checks ({root}:sc, a hash), which end 30 days after the last one or with a purge of everything.
--
-- ARGV[1] the sums' name  ARGV[2] the batch's own id: one that is sent again counts once  ARGV[3...] what is added
-- Returns the sums
local sums, reply = ROOT .. ':sc', {}
local is_new = redis.call('SET', ROOT .. ':sb:' .. ARGV[2], 1, 'NX', 'EX', 3600)
for i = 3, #ARGV do
  local name = ARGV[1] .. ':' .. (i - 2)
  if is_new and ARGV[i] ~= '0' then redis.call('HINCRBY', sums, name, ARGV[i]) end
  table.insert(reply, tonumber(redis.call('HGET', sums, name) or 0))
end
redis.call('PEXPIRE', sums, 30 * 86400000)
return reply
