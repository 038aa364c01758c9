-- Gives a Redis that came back with an older state of itself another name, so that every worker restores what it
-- remembers. ARGV[1] its name so far  ARGV[2] the session that noticed. Returns its name now: another worker's, where
-- that was faster.
local name = redis.call('GET', ROOT .. ':name')
if name ~= ARGV[1] then return name or '' end
name = OLDER .. ARGV[2] .. ' ' .. table.concat(redis.call('TIME'), '.')
redis.call('SET', ROOT .. ':name', name)
return name
