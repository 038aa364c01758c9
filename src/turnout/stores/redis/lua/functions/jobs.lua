-- Jobs. Times in milliseconds by Redis' own clock. A lane is `user|endpoint|kind`, at one priority.
--   d:<id> hash, the job           e:<id> list, its events: a letter and JSON      all, u:<user> zsets, seq -> id
--   q:<priority>:<lane> zset, waiting jobs by seq
--   lanes:<priority> zset, open lanes of chat jobs by turn     lanes:<priority>:<kind> of another kind
--   of:<priority>:<user> set, the user's lanes        held zset, lanes that wait by time     later zset, jobs that do
--   places:<model> set, running jobs that call it
--   running zset, by lease   waiting zset, by when its wait began   hooks zset, by time   ends zset, by expiry
--   line:<priority> hash, jobs waiting by user   lines hash, by priority   waits hash, of a user at all priorities
--   away hash, jobs of a lane in `later`, by priority|lane
--   bytes of all requests, results and events
local J = {}
local MOST_LANES_COUNTED = 200
local KINDS = {'chat', 'http'}

local function key(...) return ROOT .. ':j:' .. table.concat({...}, ':') end
local function get(id, field) return redis.call('HGET', key('d', id), field) end

local function lane_of(id)
  local f = redis.call('HMGET', key('d', id), 'priority', 'user', 'endpoint', 'kind')
  return f[1], f[2] .. '|' .. f[3] .. '|' .. f[4], f[2]
end

-- The open lanes of a kind: a worker passes over none that it cannot do.
local function round(priority, kind) return kind == 'chat' and key('lanes', priority) or key('lanes', priority, kind) end
local function round_of(priority, lane) return round(priority, string.match(lane, '[^|]*$')) end

-- A list of texts as one: their lengths, a colon, the texts. A client reads one reply faster than many.
local function pack(texts)
  local lengths = {}
  for at, text in ipairs(texts) do lengths[at] = #text end
  return table.concat(lengths, ' ') .. ':' .. table.concat(texts)
end

-- Whole numbers as one text.
local function join(numbers)
  local texts = {}
  for at, number in ipairs(numbers) do texts[at] = string.format('%.0f', number) end
  return table.concat(texts, ' ')
end

local function add_event(id, text)
  redis.call('RPUSH', key('e', id), text)
  redis.call('HINCRBY', key('d', id), 'event_bytes', #text)
  redis.call('INCRBY', key('bytes'), #text)
end
local function add_status(id, status, more)
  redis.call('HSET', key('d', id), 'status', status)
  add_event(id, 's{"status":"' .. status .. '"' .. (more or '') .. '}')
end

-- Adds to a number of a hash, which is deleted at 0.
local function count(hash, field, by)
  local value = redis.call('HINCRBY', hash, field, by)
  if value <= 0 then redis.call('HDEL', hash, field) end
  return value
end

local function count_waiting(priority, user, by)
  count(key('waits'), user, by)
  count(key('line', priority), user, by)
  count(key('lines'), priority, by)
end

local function open_lane(priority, lane, user)
  local lanes = round_of(priority, lane)
  if redis.call('ZSCORE', key('held'), priority .. '|' .. lane) or redis.call('ZSCORE', lanes, lane) then return end
  redis.call('ZADD', lanes, redis.call('INCR', key('turn')), lane)
  redis.call('SADD', key('of', priority, user), lane)
end

local function queue(id, not_before, now)
  local priority, lane, user = lane_of(id)
  add_status(id, 'queued')
  redis.call('HSET', key('d', id), 'token', '', 'not_before', not_before)
  if redis.call('ZADD', key('waiting'), get(id, 'since') or get(id, 'created'), id) == 1 then
    count_waiting(priority, user, 1)
  end
  if not_before > now then
    redis.call('ZADD', key('later'), not_before, id)
    count(key('away'), priority .. '|' .. lane, 1)
  else
    redis.call('ZADD', key('q', priority, lane), get(id, 'seq'), id)
    open_lane(priority, lane, user)
  end
end

-- Takes a job out of those that wait for a time of their own; its lane may be looked at again.
local function no_longer_away(id, priority, lane, user)
  if redis.call('ZREM', key('later'), id) == 0 then return end
  count(key('away'), priority .. '|' .. lane, -1)
  if redis.call('EXISTS', key('q', priority, lane)) == 1 then open_lane(priority, lane, user) end
end

-- Takes a job out of everything that it waits in.
local function unqueue(id)
  local priority, lane, user = lane_of(id)
  no_longer_away(id, priority, lane, user)
  redis.call('ZREM', key('q', priority, lane), id)
  if redis.call('ZREM', key('waiting'), id) == 1 then count_waiting(priority, user, -1) end
end

-- The turns of the user's open lanes, the last and the first of them.
local function turns_of(priority, user)
  local turns, last, first = {}, 0, math.huge
  for _, lane in ipairs(redis.call('SMEMBERS', key('of', priority, user))) do
    local turn = tonumber(redis.call('ZSCORE', round_of(priority, lane), lane) or '')
    if turn then turns[lane], last, first = turn, math.max(last, turn), math.min(first, turn) end
  end
  return turns, last, first
end

-- Of how many users a lane has its turn before this one; nil where they are many.
local function users_before(priority, first)
  local known, users = {}, 0
  for _, kind in ipairs(KINDS) do
    local before = redis.call('ZRANGEBYSCORE', round(priority, kind), '-inf', '(' .. first, 'LIMIT', 0,
      MOST_LANES_COUNTED)
    if #before == MOST_LANES_COUNTED then return nil end
    for _, lane in ipairs(before) do
      local user = string.match(lane, '^[^|]*')
      if not known[user] then known[user], users = true, users + 1 end
    end
  end
  return users
end

-- The numbers of ports.jobs.PlaceInLine for a waiting job, in its order.
local function line_of(id)
  if not redis.call('ZSCORE', key('waiting'), id) then return {} end
  local priority, lane, user = lane_of(id)
  local higher, line = 0, key('line', priority)
  for above = tonumber(priority) + 1, 9 do
    higher = higher + tonumber(redis.call('HGET', key('lines'), above) or '0')
  end
  local own = tonumber(redis.call('HGET', line, user) or '1')
  local all = tonumber(redis.call('HGET', key('lines'), priority) or '1')
  local users = redis.call('HLEN', line) - 1
  local ahead = redis.call('ZCOUNT', key('q', priority, lane), '-inf', '(' .. get(id, 'seq'))
    + tonumber(redis.call('HGET', key('away'), priority .. '|' .. lane) or '0')
  local turns, last, first = turns_of(priority, user)
  -- One that is held comes after the others.
  local mine, open, earlier = turns[lane] or last + 1, turns[lane] and 0 or 1, 0
  for _, turn in pairs(turns) do
    open, earlier = open + 1, earlier + (turn < mine and 1 or 0)
  end
  local before = first == math.huge and users or users_before(priority, first) or users
  return {higher, own, ahead, open, earlier, math.max(0, all - own), math.max(0, users), before}
end

local function finish(id, status, now, ttl, result, head, failure)
  local job = key('d', id)
  unqueue(id)
  redis.call('ZREM', key('running'), id)
  redis.call('INCRBY', key('bytes'), #(result or '') - redis.call('HSTRLEN', job, 'result'))
  redis.call('HSET', job, 'ended', now, 'token', '', 'result', result or '', 'head', head or '', 'error', failure or '',
    'expires', now + ttl)
  redis.call('HINCRBY', job, 'ends', 1)
  add_status(id, status)
  if get(id, 'webhook_url') ~= '' then
    redis.call('HSET', job, 'hook', 'pending')
    redis.call('ZADD', key('hooks'), now, id)
  end
  redis.call('ZADD', key('ends'), now + ttl, id)
end

local function delete(id)
  local user, idempotency = get(id, 'user'), get(id, 'idempotency_key')
  if not user then return 0 end
  unqueue(id)
  for _, name in ipairs({'running', 'hooks', 'ends', 'all'}) do redis.call('ZREM', key(name), id) end
  redis.call('ZREM', key('u', user), id)
  if idempotency ~= '' and redis.call('HGET', key('k', user), idempotency) == id then
    redis.call('HDEL', key('k', user), idempotency)
  end
  redis.call('DECRBY', key('bytes'), redis.call('HSTRLEN', key('d', id), 'spec')
    + redis.call('HSTRLEN', key('d', id), 'result') + tonumber(get(id, 'event_bytes') or '0'))
  redis.call('DEL', key('d', id), key('e', id))
  return 1
end

local function gone(id, now)
  local expires = tonumber(get(id, 'expires') or '')
  return expires ~= nil and expires <= now
end

local function found(id, now)
  if gone(id, now) then return '' end
  return pack(redis.call('HGETALL', key('d', id)))
end

local function state(now, id)
  local oldest = redis.call('ZRANGE', key('waiting'), 0, 0, 'WITHSCORES')
  local numbers = {
    redis.call('ZCARD', key('waiting')), redis.call('ZCARD', key('running')),
    oldest[2] and math.max(0, now - tonumber(oldest[2])) or 0,
    math.floor(tonumber(redis.call('GET', key('run_ms')) or '0')),
    redis.call('ZCOUNT', key('workers'), now - 30000, '+inf'),
  }
  for _, number in ipairs(id and line_of(id) or {}) do numbers[#numbers + 1] = number end
  return join(numbers)
end

function J.submit(now, id, kind, user, endpoint, priority, spec, secret, idempotency, digest, url, most, most_user,
    most_bytes)
  if idempotency ~= '' then
    local earlier = redis.call('HGET', key('k', user), idempotency)
    if earlier and gone(earlier, now) then
      delete(earlier)
    elseif earlier and get(earlier, 'digest') then
      if get(earlier, 'digest') ~= digest then return {'key_reused'} end
      return {'known', found(earlier, now), state(now, earlier)}
    end
  end
  if redis.call('ZCARD', key('waiting')) >= tonumber(most) then return {'queue_full'} end
  if tonumber(redis.call('HGET', key('waits'), user) or '0') >= tonumber(most_user) then return {'user_full'} end
  if tonumber(redis.call('GET', key('bytes')) or '0') + #spec > tonumber(most_bytes) then return {'store_full'} end
  redis.call('INCRBY', key('bytes'), #spec)
  local seq = redis.call('INCR', key('seq'))
  redis.call('HSET', key('d', id), 'id', id, 'seq', seq, 'kind', kind, 'user', user, 'endpoint', endpoint,
    'priority', priority, 'spec', spec, 'secret', secret, 'idempotency_key', idempotency, 'digest', digest,
    'webhook_url', url, 'created', now, 'since', now, 'attempts', 0, 'deliveries', 0, 'hook', '', 'hook_tries', 0,
    'cancel', 0)
  redis.call('ZADD', key('all'), seq, id)
  redis.call('ZADD', key('u', user), seq, id)
  if idempotency ~= '' then redis.call('HSET', key('k', user), idempotency, id) end
  queue(id, 0, now)
  return {'created', join({seq, now}), state(now, id)}
end

function J.find(now, id) return found(id, now) end

function J.cancel(now, id, ttl)
  if gone(id, now) then return '' end
  local status = get(id, 'status')
  if status == 'queued' then
    finish(id, 'cancelled', now, tonumber(ttl))
  elseif status == 'running' then
    redis.call('HSET', key('d', id), 'cancel', 1)
  end
  return found(id, now)
end

function J.events(now, id, after)
  return redis.call('LRANGE', key('e', id), after, after + 999)
end

function J.state(now, id) return state(now, id) end

-- Lets jobs whose worker is gone, or whose time has come, wait in their lanes again.
local function take_back(now, most_deliveries)
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', key('running'), '-inf', '(' .. now, 'LIMIT', 0, 100)) do
    redis.call('ZREM', key('running'), id)
    local f = redis.call('HMGET', key('d', id), 'cancel', 'deliveries')
    if f[1] == '1' then
      finish(id, 'cancelled', now, 86400000)
    elseif tonumber(f[2]) >= tonumber(most_deliveries) then
      finish(id, 'failed', now, 86400000, '', '', '{"message":"' .. most_deliveries ..
        ' workers have died while they ran this job","type":"api_error","code":"worker_lost","param":null}')
    else
      queue(id, 0, now)
    end
  end
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', key('later'), '-inf', now, 'LIMIT', 0, 100)) do
    local priority, lane, user = lane_of(id)
    redis.call('ZADD', key('q', priority, lane), get(id, 'seq'), id)
    no_longer_away(id, priority, lane, user)
  end
  for _, held in ipairs(redis.call('ZRANGEBYSCORE', key('held'), '-inf', now, 'LIMIT', 0, 100)) do
    redis.call('ZREM', key('held'), held)
    local priority, lane, user = string.match(held, '^(%d+)|(([^|]*)|.*)$')
    if redis.call('EXISTS', key('q', priority, lane)) == 1 then open_lane(priority, lane, user) end
  end
end

-- All lanes of this user have had their turn, as endpoints are no way to more of them: they go behind those of all
-- others, in their order, and behind them the one that was served.
local function pass_turn(priority, lane, user)
  local turns, last = turns_of(priority, user)
  local behind = redis.call('INCRBY', key('turn'), last - turns[lane] + 1)
  for other, turn in pairs(turns) do
    redis.call('ZADD', round_of(priority, other), other == lane and behind or turn + behind - last - 1, other)
  end
end

-- Takes a lane out of the round.
local function close_lane(priority, lane)
  redis.call('ZREM', round_of(priority, lane), lane)
  redis.call('SREM', key('of', priority, string.match(lane, '^[^|]*')), lane)
end

-- The lane of this kind that was served longest ago, and its turn.
local function first_lane(priority, kind)
  while true do
    local first = redis.call('ZRANGE', round(priority, kind), 0, 0, 'WITHSCORES')
    local lane = first[1]
    if not lane or string.match(lane, '[^|]*$') == kind then return lane, tonumber(first[2]) end
    -- A version of before kept all kinds in one round.
    redis.call('ZREM', round(priority, kind), lane)
    redis.call('ZADD', round_of(priority, lane), first[2], lane)
  end
end

local function next_lane(priority, kinds)
  local next, earliest
  for _, kind in ipairs(kinds) do
    local lane, turn = first_lane(priority, kind)
    if lane and (not next or turn < earliest) then next, earliest = lane, turn end
  end
  return next
end

-- The next job at this priority. Lanes that have none that may run now leave the round.
local function next_in(priority, kinds, look_ahead)
  while true do
    local lane = next_lane(priority, kinds)
    if not lane then return nil end
    local id = redis.call('ZRANGE', key('q', priority, lane), 0, 0)[1]
    local away = tonumber(redis.call('HGET', key('away'), priority .. '|' .. lane) or '0')
    if id and away < look_ahead then
      pass_turn(priority, lane, string.match(lane, '^[^|]*'))
      return id
    end
    -- One with jobs that wait for a time is opened again as soon as fewer do.
    close_lane(priority, lane)
  end
end

function J.claim(now, token, kinds, concurrency, lease, most_deliveries, look_ahead)
  take_back(now, most_deliveries)
  if redis.call('ZCARD', key('running')) >= tonumber(concurrency) then return '' end
  local mine = {}
  for _, kind in ipairs(KINDS) do
    if string.find(kinds, '|' .. kind .. '|', 1, true) then mine[#mine + 1] = kind end
  end
  for priority = 9, 0, -1 do
    local id = next_in(priority, mine, tonumber(look_ahead))
    if id then
      unqueue(id)
      local delivery = redis.call('HINCRBY', key('d', id), 'deliveries', 1)
      redis.call('HDEL', key('d', id), 'place')
      redis.call('HSET', key('d', id), 'started', now, 'token', token)
      redis.call('ZADD', key('running'), now + tonumber(lease), id)
      add_status(id, 'running', ',"attempt":' .. delivery)
      return found(id, now)
    end
  end
  return ''
end

local function holds(id, token)
  local f = redis.call('HMGET', key('d', id), 'status', 'token')
  return f[1] == 'running' and f[2] == token
end

-- A place at a model is held by a running job that noted the model last.
function J.hold(now, id, token, model, most)
  if not holds(id, token) then return 0 end
  local places = key('places', model)
  for _, other in ipairs(redis.call('SMEMBERS', places)) do
    if get(other, 'place') ~= model or not redis.call('ZSCORE', key('running'), other) then
      redis.call('SREM', places, other)
    end
  end
  if redis.call('SISMEMBER', places, id) == 0 then
    if redis.call('SCARD', places) >= tonumber(most) then return 0 end
    redis.call('HSET', key('d', id), 'place', model)
    redis.call('SADD', places, id)
  end
  redis.call('PEXPIRE', places, 86400000)
  return 1
end

function J.renew(now, worker, lease, ...)
  local held, stopped = {...}, {}
  redis.call('ZADD', key('workers'), now, worker)
  redis.call('ZREMRANGEBYSCORE', key('workers'), '-inf', now - 3600000)
  for i = 1, #held, 2 do
    local id = held[i]
    if not holds(id, held[i + 1]) then
      stopped[#stopped + 1] = id; stopped[#stopped + 1] = 'lost'
    else
      redis.call('ZADD', key('running'), now + tonumber(lease), id)
      if get(id, 'cancel') == '1' then stopped[#stopped + 1] = id; stopped[#stopped + 1] = 'cancelled' end
    end
  end
  return stopped
end

function J.append(now, id, token, ...)
  if not holds(id, token) then return 0 end
  for _, chunk in ipairs({...}) do add_event(id, 'c' .. chunk) end
  return 1
end

function J.finish(now, id, token, status, ttl, result, head, failure)
  if not holds(id, token) then return 0 end
  local run_ms = now - tonumber(get(id, 'started'))
  local average = tonumber(redis.call('GET', key('run_ms')) or '')
  redis.call('SET', key('run_ms'), average and average + 0.1 * (run_ms - average) or run_ms)
  finish(id, status, now, tonumber(ttl), result, head, failure)
  return 1
end

function J.put_back(now, id, token, after, failed, held)
  if not holds(id, token) then return 0 end
  redis.call('ZREM', key('running'), id)
  if get(id, 'cancel') == '1' then
    finish(id, 'cancelled', now, 86400000)
    return 1
  end
  if failed == '1' then
    redis.call('HINCRBY', key('d', id), 'attempts', 1)
  else
    -- The worker gave it back itself: nobody died over it.
    redis.call('HINCRBY', key('d', id), 'deliveries', -1)
  end
  after = tonumber(after)
  queue(id, after > 0 and now + after or 0, now)
  if held == '1' then
    local priority, lane = lane_of(id)
    close_lane(priority, lane)
    redis.call('ZADD', key('held'), now + after, priority .. '|' .. lane)
  end
  return 1
end

function J.claim_webhook(now, lease)
  local id = redis.call('ZRANGEBYSCORE', key('hooks'), '-inf', now, 'LIMIT', 0, 1)[1]
  if not id then return '' end
  redis.call('ZADD', key('hooks'), now + tonumber(lease), id)
  return found(id, now)
end

function J.note_webhook(now, id, status, after)
  if not get(id, 'id') then
    redis.call('ZREM', key('hooks'), id)
    return 0
  end
  -- Queued again since: the webhook of its next end is another one.
  if get(id, 'hook') ~= 'pending' then return 0 end
  redis.call('HSET', key('d', id), 'hook', status)
  redis.call('HINCRBY', key('d', id), 'hook_tries', 1)
  if status == 'pending' then
    redis.call('ZADD', key('hooks'), now + tonumber(after), id)
  else
    redis.call('ZREM', key('hooks'), id)
  end
  return 1
end

local function chosen(user) return user ~= '' and key('u', user) or key('all') end

-- The next ones before a seq, of `most` that are looked at, and the seq of the last of these; '' where there are no more.
function J.list(now, status, user, limit, before, most)
  local jobs, from = {}, redis.call('ZCOUNT', chosen(user), before, '+inf')
  local some = redis.call('ZREVRANGE', chosen(user), from, from + tonumber(most) - 1, 'WITHSCORES')
  for at = 1, #some, 2 do
    local id = some[at]
    if not gone(id, now) and (status == '' or get(id, 'status') == status) then jobs[#jobs + 1] = found(id, now) end
    if #jobs >= tonumber(limit) then return {some[at + 1], jobs} end
  end
  return {#some == 2 * tonumber(most) and some[#some] or '', jobs}
end

function J.retry(now, id)
  local status = get(id, 'status')
  if gone(id, now) or (status ~= 'failed' and status ~= 'cancelled') then return 0 end
  redis.call('ZREM', key('ends'), id)
  redis.call('ZREM', key('hooks'), id)
  redis.call('HDEL', key('d', id), 'expires', 'ended')
  redis.call('HSET', key('d', id), 'since', now, 'error', '', 'cancel', 0, 'attempts', 0, 'deliveries', 0, 'hook', '',
    'hook_tries', 0)
  queue(id, 0, now)
  return 1
end

function J.purge(now, user, status, id, most)
  local ids, purged = id ~= '' and {id} or redis.call('ZRANGE', chosen(user), 0, -1), 0
  for _, one in ipairs(ids) do
    local is = get(one, 'status')
    local mine = user == '' or get(one, 'user') == user
    if mine and (is == status or (status == '' and (is ~= 'running' or user ~= '' or id ~= ''))) then
      purged = purged + delete(one)
    end
    if purged >= tonumber(most) then break end
  end
  return purged
end

function J.sweep(now)
  local ids = redis.call('ZRANGEBYSCORE', key('ends'), '-inf', now, 'LIMIT', 0, 500)
  for _, id in ipairs(ids) do delete(id) end
  return #ids
end
