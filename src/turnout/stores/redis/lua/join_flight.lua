-- Asks the session that holds a flight to publish it to us. ARGV[1] key  ARGV[2] its lease  ARGV[3] the message to that
-- session. Returns 1, or 0 where the lease is no longer alive.
if flights_holder(clock_ms(), ARGV[1]) ~= ARGV[2] then return 0 end
redis.call('PUBLISH', ROOT .. ':p:' .. ARGV[2]:match('^[^.]*'), ARGV[3])
return 1
