-- Deletes pins, a bounded number a call; called again until none is left.
--
-- ARGV[1] '1' where a user is named, ARGV[2] the user  ARGV[3] how many to delete now
-- Returns 1 where there are more.
local index = ARGV[1] == '1' and ROOT .. ':cu:' .. ARGV[2] or ROOT .. ':pins'
local keys = redis.call('ZRANGE', index, 0, tonumber(ARGV[3]) - 1)
for _, key in ipairs(keys) do
  pins_delete(key)
  redis.call('ZREM', index, key)
end
return #keys == tonumber(ARGV[3]) and 1 or 0
