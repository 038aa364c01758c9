-- Forgets a user among the spenders and the answers that ratings may come for, some a call.
--
-- ARGV[1] how many answers were checked before  ARGV[2] how many to check now  ARGV[3] the user's key
-- ARGV[4] the user as the spenders name it  ARGV[5...] the starts of the spenders' buckets
-- Returns how many answers are checked now and kept, 0 where all are
local from, count = tonumber(ARGV[1]), tonumber(ARGV[2])
for at = 5, #ARGV do redis.call('ZREM', ROOT .. ':n:u:' .. ARGV[at], ARGV[4], ARGV[3]) end
local ids = redis.call('LRANGE', ROOT .. ':n:order', from, from + count - 1)
local kept = 0
for _, id in ipairs(ids) do
  local text = redis.call('HGET', ROOT .. ':n:answers', id)
  if text and text:match('^[^\31]*\31([^\31]*)') == ARGV[3] then
    redis.call('HDEL', ROOT .. ':n:answers', id)
    redis.call('LREM', ROOT .. ':n:order', 1, id)
  else
    kept = kept + 1
  end
end
return #ids == count and from + kept or 0
