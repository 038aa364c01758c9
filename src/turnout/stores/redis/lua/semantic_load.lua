-- Reads every question, a bounded number a call, in no order; some may come twice.
--
-- ARGV[1] the cursor, '0' to begin  ARGV[2] about how many
-- Returns {the number of the newest event, the next cursor ('0': that was all), row, ...} (semantic_row)
local newest = semantic_newest()
local scanned = redis.call('ZSCAN', SEMANTIC_INDEX, ARGV[1], 'COUNT', ARGV[2])
local reply = {string.format('%.0f', newest or 0), scanned[1]}
for i = 1, #scanned[2], 2 do
  local row = semantic_row(scanned[2][i])
  if row then table.insert(reply, row) end
end
return reply
