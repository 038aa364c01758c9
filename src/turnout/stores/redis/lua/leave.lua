-- A Lead leaves: settles, stores and gives its flight back in one atomic step. Leaving twice changes nothing: an
-- unknown lease is ignored.
--
-- ARGV[1] lease  ARGV[2] key or ""  ARGV[3] what it cost, nano-USD, or ""  ARGV[4] tokens used, or ""
-- ARGV[5] 1: refused, nothing was called  ARGV[6] "" or the budgets whose states are returned, as in enter.lua
-- ARGV[7] the packed answer or "" (then the rest is missing)  ARGV[8] ttl, ms  ARGV[9] kept beyond it, ms
-- ARGV[10] user  ARGV[11] endpoint  ARGV[12] most entries  ARGV[13] most bytes
-- Returns "" or budgets_states as JSON.
local now = clock_ms()
local lease, key = ARGV[1], ARGV[2]
lease_settle(now, lease, tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5] == '1')
if key ~= '' then
  flights_end(now, key, lease)
  if ARGV[7] ~= '' then
    local bounds = {tonumber(ARGV[12]), tonumber(ARGV[13])}
    answers_put(now, key, ARGV[7], tonumber(ARGV[8]), tonumber(ARGV[9]), ARGV[10], ARGV[11], bounds)
  end
end
if ARGV[6] == '' then return '' end
return cjson.encode(budgets_states(now, cjson.decode(ARGV[6])))
