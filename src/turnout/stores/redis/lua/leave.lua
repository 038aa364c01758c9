-- A Lead leaves: settles, stores and gives its flight back in one atomic step. Leaving twice changes nothing: an
-- unknown lease is ignored.
--
-- ARGV[1] lease  ARGV[2] key or ""  ARGV[3] what it cost, nano-USD, or ""  ARGV[4] tokens used, or ""
-- ARGV[5] 1: refused, nothing was called  ARGV[6] "" or the budgets whose states are returned, as in enter.lua
-- ARGV[7] the key of the conversation whose pin is kept, or ""  ARGV[8] the pin  ARGV[9] for how long, ms  ARGV[10] its user
-- ARGV[11] the packed answer or "" (then the rest is missing)  ARGV[12] ttl, ms  ARGV[13] kept beyond it, ms
-- ARGV[14] user  ARGV[15] endpoint  ARGV[16] most entries  ARGV[17] most bytes
-- Returns "" or budgets_states as JSON.
local now = clock_ms()
local lease, key = ARGV[1], ARGV[2]
lease_settle(now, lease, tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5] == '1')
if ARGV[7] ~= '' then pins_put(now, ARGV[7], ARGV[8], tonumber(ARGV[9]), ARGV[10]) end
if key ~= '' then
  flights_end(now, key, lease)
  if ARGV[11] ~= '' then
    local bounds = {tonumber(ARGV[16]), tonumber(ARGV[17])}
    answers_put(now, key, ARGV[11], tonumber(ARGV[12]), tonumber(ARGV[13]), ARGV[14], ARGV[15], bounds)
  end
end
if ARGV[6] == '' then return '' end
return cjson.encode(budgets_states(now, cjson.decode(ARGV[6])))
