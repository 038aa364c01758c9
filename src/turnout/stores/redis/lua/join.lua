-- Asks the process that holds a flight to tell it to us. ARGV[1] key  ARGV[2] its lease  ARGV[3] the letter
-- for that process. Returns 1, or 0 where nobody holds this lease any more.
if flights_holder(clock_ms(), ARGV[1]) ~= ARGV[2] then return 0 end
redis.call('PUBLISH', ROOT .. ':p:' .. ARGV[2]:match('^[^.]*'), ARGV[3])
return 1
