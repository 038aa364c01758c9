-- Drops stored answers, a bounded number a call; called again until nothing is left to look at.
--
-- ARGV[1] '1' where a user is named, ARGV[2] the user  ARGV[3] '1' where an endpoint is named, ARGV[4] it
-- ARGV[5] how many index entries were looked at and left before  ARGV[6] how many to look at now
-- Returns {answers dropped, index entries left, 1 where there is more to look at}
local by_user, user, by_endpoint, endpoint = ARGV[1] == '1', ARGV[2], ARGV[3] == '1', ARGV[4]
local index = ROOT .. ':all'
if by_user then index = ROOT .. ':u:' .. user elseif by_endpoint then index = ROOT .. ':e:' .. endpoint end
local from, most = tonumber(ARGV[5]), tonumber(ARGV[6])
local entries = redis.call('ZRANGE', index, from, from + most - 1)
local dropped, left = 0, 0
for _, entry in ipairs(entries) do
  local key = (by_user or by_endpoint) and entry or entry:sub(1, -13)
  local found = redis.call('HMGET', answers_name(key), 'u', 'e')
  local wanted = (not by_user or found[1] == user) and (not by_endpoint or found[2] == endpoint)
  if found[1] and not wanted then
    left = left + 1
  else
    if answers_drop(key) then dropped = dropped + 1 end
    if by_user or by_endpoint then redis.call('ZREM', index, entry) else answers_forget(entry) end
  end
end
return {dropped, left, #entries == most and 1 or 0}
