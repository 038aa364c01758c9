-- Forgets questions, a bounded number a call; called again until every entry is checked.
--
-- ARGV[1] '1' where a user is named, ARGV[2] the user  ARGV[3] '1' where an endpoint is named, ARGV[4] it
-- ARGV[5] how many index entries were skipped before  ARGV[6] how many to check now
-- Returns {questions forgotten, index entries skipped, 1 where there are more}
local by_user, user, by_endpoint, endpoint = ARGV[1] == '1', ARGV[2], ARGV[3] == '1', ARGV[4]
local index = SEMANTIC_INDEX
if by_user then index = ROOT .. ':su:' .. user elseif by_endpoint then index = ROOT .. ':se:' .. endpoint end
local from, count = tonumber(ARGV[5]), tonumber(ARGV[6])
local keys = redis.call('ZRANGE', index, from, from + count - 1)
local forgotten, skipped = {}, 0
for _, key in ipairs(keys) do
  local names = redis.call('HMGET', semantic_name(key), 'u', 'e')
  local matches = (not by_user or names[1] == user) and (not by_endpoint or names[2] == endpoint)
  if names[1] and not matches then
    skipped = skipped + 1
  else
    if semantic_delete(key) then table.insert(forgotten, key) end
    redis.call('ZREM', index, key)
  end
end
if #forgotten > 0 then semantic_tell(clock_ms(), 'd', table.concat(forgotten)) end
return {#forgotten, skipped, #keys == count and 1 or 0}
