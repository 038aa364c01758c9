-- Adds what a process counted. Once: a batch that is sent again, because its reply was lost, changes nothing.
--
-- ARGV[1] the batch's name  ARGV[2] JSON: series {minute: {name: amount}}, spenders {start: {user: nano-USD}}, decisions
-- [text], answers [[request id, text]], now. Amounts are texts: whole numbers of up to 53 bits.
-- ARGV[3] JSON: the bounds of ports/counting.py
-- Returns 1, or 0 for a batch that is here already
if not redis.call('SET', ROOT .. ':n:b:' .. ARGV[1], '1', 'NX', 'EX', 600) then return 0 end
local counted, bounds = cjson.decode(ARGV[2]), cjson.decode(ARGV[3])

local function add(name, series, most, kept_s)
  local size = redis.call('HLEN', name)
  for field, amount in pairs(series) do
    if size >= most and redis.call('HEXISTS', name, field) == 0 then
      field = field:match('^[^\31]*') .. '\31*'
    end
    if redis.call('HINCRBY', name, field, amount) == tonumber(amount) then size = redis.call('HLEN', name) end
  end
  if kept_s then redis.call('PEXPIRE', name, kept_s * 1000) end
end

redis.call('HSETNX', ROOT .. ':n:total', 'since', counted.now)
for minute, series in pairs(counted.series) do
  add(ROOT .. ':n:total', series, bounds.totals, nil)
  for _, step in ipairs(bounds.steps) do
    local start = math.floor(tonumber(minute) / step[1]) * step[1]
    add(ROOT .. ':n:' .. step[1] .. ':' .. string.format('%.0f', start), series, bounds.series, step[2] + step[1])
  end
end
for start, spenders in pairs(counted.spenders) do
  local name = ROOT .. ':n:u:' .. start
  for user, nanos in pairs(spenders) do redis.call('ZINCRBY', name, nanos, user) end
  redis.call('ZREMRANGEBYRANK', name, 0, -1 - bounds.spenders)
  redis.call('PEXPIRE', name, bounds.spenders_s * 1000)
end
for _, decision in ipairs(counted.decisions) do redis.call('LPUSH', ROOT .. ':n:decisions', decision) end
redis.call('LTRIM', ROOT .. ':n:decisions', 0, bounds.decisions - 1)
local answers, order = ROOT .. ':n:answers', ROOT .. ':n:order'
for _, answer in ipairs(counted.answers) do
  redis.call('HSET', answers, answer[1], answer[2])
  redis.call('RPUSH', order, answer[1])
end
for _ = 1, redis.call('LLEN', order) - bounds.answers do redis.call('HDEL', answers, redis.call('LPOP', order)) end
redis.call('PEXPIRE', answers, bounds.answers_s * 1000)
redis.call('PEXPIRE', order, bounds.answers_s * 1000)
return 1
