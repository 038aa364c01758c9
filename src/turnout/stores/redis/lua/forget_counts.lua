-- Forgets a user among the spenders, the last decisions and the answers that ratings may come for, some a call.
--
-- ARGV[1] how many answers were checked before  ARGV[2] how many to check now  ARGV[3] the user's key
-- ARGV[4] the user as the spenders name it  ARGV[5] ARGV[6] what stands in the user's decisions
-- ARGV[7...] the starts of the spenders' buckets
-- Returns how many answers are checked now and kept, 0 where all are
local from, count = tonumber(ARGV[1]), tonumber(ARGV[2])
for at = 7, #ARGV do redis.call('ZREM', ROOT .. ':n:u:' .. ARGV[at], ARGV[4], ARGV[3]) end
for _, decision in ipairs(from == 0 and redis.call('LRANGE', ROOT .. ':n:decisions', 0, -1) or {}) do
  if decision:find(ARGV[5], 1, true) or decision:find(ARGV[6], 1, true) then
    redis.call('LREM', ROOT .. ':n:decisions', 1, decision)
  end
end
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
