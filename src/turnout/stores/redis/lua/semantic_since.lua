-- Reads what has happened since an event, a bounded number of events a call.
--
-- ARGV[1] its number  ARGV[2] how many events
-- Returns {1 where events are missing and everything is to be loaded anew, the number of the last event read, 1 where there
-- are more, {'a', row} or {'d', key, ...}, ...}
local last, count = tonumber(ARGV[1]), tonumber(ARGV[2])
local newest = semantic_newest() or 0
if newest < last then return {1, '0', 0} end
local next_id = string.format('%.0f-0', last + 1)
local events = redis.call('XRANGE', SEMANTIC_STREAM, next_id, '+', 'COUNT', count)
local reply = {0, string.format('%.0f', last), 0}
for _, event in ipairs(events) do
  local number = tonumber(event[1]:match('^%d+'))
  if number ~= last + 1 then return {1, '0', 0} end
  last = number
  local what, keys = event[2][1], event[2][2]
  if what == 'a' then
    local row = semantic_row(keys)
    if row then table.insert(reply, {'a', row}) end
  else
    local gone = {'d'}
    for i = 1, #keys, SEMANTIC_KEY_BYTES do table.insert(gone, keys:sub(i, i + SEMANTIC_KEY_BYTES - 1)) end
    table.insert(reply, gone)
  end
end
reply[2], reply[3] = string.format('%.0f', last), newest > last and 1 or 0
return reply
