-- Deletes stored answers, a bounded number a call; called again until every entry is checked.
--
-- ARGV[1] '1' where a user is named, ARGV[2] the user  ARGV[3] '1' where an endpoint is named, ARGV[4] it
-- ARGV[5] how many index entries were skipped before  ARGV[6] how many to check now
-- Returns {answers deleted, index entries skipped, 1 where there are more}
local by_user, user, by_endpoint, endpoint = ARGV[1] == '1', ARGV[2], ARGV[3] == '1', ARGV[4]
local index = ROOT .. ':all'
if by_user then index = ROOT .. ':u:' .. user elseif by_endpoint then index = ROOT .. ':e:' .. endpoint end
local from, count = tonumber(ARGV[5]), tonumber(ARGV[6])
local entries = redis.call('ZRANGE', index, from, from + count - 1)
local deleted, skipped = 0, 0
for _, entry in ipairs(entries) do
  local key = (by_user or by_endpoint) and entry or entry:sub(1, -13)
  local values = redis.call('HMGET', answers_name(key), 'u', 'e')
  local matches = (not by_user or values[1] == user) and (not by_endpoint or values[2] == endpoint)
  if values[1] and not matches then
    skipped = skipped + 1
  else
    if answers_delete(key) then deleted = deleted + 1 end
    if by_user or by_endpoint then redis.call('ZREM', index, entry) else answers_forget(entry) end
  end
end
return {deleted, skipped, #entries == count and 1 or 0}
