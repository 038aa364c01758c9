-- Stores many answers of one user and endpoint.
--
-- ARGV[1] ttl, ms  ARGV[2] kept beyond it, ms  ARGV[3] user  ARGV[4] endpoint  ARGV[5] most entries  ARGV[6] most bytes
-- ARGV[7..] key and packed answer, in turn
local now, bounds = clock_ms(), {tonumber(ARGV[5]), tonumber(ARGV[6])}
for index = 7, #ARGV, 2 do
  answers_put(now, ARGV[index], ARGV[index + 1], tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3], ARGV[4], bounds)
end
return ''
