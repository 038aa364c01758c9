-- Keeps a question, in the place of one with its key.
--
-- ARGV[1] its key  ARGV[2] packed  ARGV[3] for how long, ms  ARGV[4] user  ARGV[5] endpoint  ARGV[6] most questions
local now, key, left = clock_ms(), ARGV[1], tonumber(ARGV[3])
semantic_delete(key)
redis.call('HSET', semantic_name(key), 'd', ARGV[2], 'u', ARGV[4], 'e', ARGV[5])
redis.call('PEXPIRE', semantic_name(key), left)
redis.call('ZADD', SEMANTIC_INDEX, now + left, key)
answers_index(now, ROOT .. ':su:' .. ARGV[4], key, now + left)
answers_index(now, ROOT .. ':se:' .. ARGV[5], key, now + left)
semantic_tell(now, 'a', key)
for _, expired in ipairs(redis.call('ZRANGEBYSCORE', SEMANTIC_INDEX, '-inf', now, 'LIMIT', 0, SWEEP)) do
  redis.call('ZREM', SEMANTIC_INDEX, expired)
end
for _ = 1, math.min(SWEEP, redis.call('ZCARD', SEMANTIC_INDEX) - tonumber(ARGV[6])) do
  local first = redis.call('ZRANGE', SEMANTIC_INDEX, 0, 0)[1]
  semantic_delete(first)
  semantic_tell(now, 'd', first)
end
