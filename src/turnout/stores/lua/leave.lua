-- A Lead leaves: settles, stores and gives its flight back in one atomic step. Leaving twice changes nothing
-- more: a lease that is unknown is nobody's.
--
-- ARGV[1] lease  ARGV[2] key or ""  ARGV[3] what it cost, nano-USD, or ""  ARGV[4] tokens used, or ""
-- ARGV[5] the packed answer or "" (then the rest is not given)  ARGV[6] ttl, ms  ARGV[7] kept beyond it, ms
-- ARGV[8] user  ARGV[9] endpoint  ARGV[10] most entries  ARGV[11] most bytes
local now = clock_ms()
local lease, key = ARGV[1], ARGV[2]
budgets_settle(now, lease, tonumber(ARGV[3]))
rates_settle(now, lease, tonumber(ARGV[4]))
if key ~= '' then
  flights_end(now, key, lease)
  if ARGV[5] ~= '' then
    local bounds = {tonumber(ARGV[10]), tonumber(ARGV[11])}
    answers_put(now, key, ARGV[5], tonumber(ARGV[6]), tonumber(ARGV[7]), ARGV[8], ARGV[9], bounds)
  end
end
return 1
