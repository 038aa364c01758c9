-- Reads what was counted.
--
-- ARGV[1] 'h' buckets of series, 'u' of spenders, 'd' the last decisions, 'a' an answer
-- ARGV[2...] the buckets' names; the request id of an answer
-- Returns a list a bucket: names and amounts in turn; the decisions, the newest first; the answer's text
local kind = ARGV[1]
if kind == 'd' then return redis.call('LRANGE', ROOT .. ':n:decisions', 0, -1) end
if kind == 'a' then return redis.call('HGET', ROOT .. ':n:answers', ARGV[2]) end
local buckets = {}
for at = 2, #ARGV do
  local name = ROOT .. ':n:' .. ARGV[at]
  if kind == 'u' then
    buckets[#buckets + 1] = redis.call('ZREVRANGE', name, 0, -1, 'WITHSCORES')
  else
    buckets[#buckets + 1] = redis.call('HGETALL', name)
  end
end
return buckets
