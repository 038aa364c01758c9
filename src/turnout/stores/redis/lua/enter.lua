-- One request enters: rates, look-up, flight, reservation and circuit states in one atomic step.
--
-- KEYS[1]  the root of every key, a hash tag: {prefix}
-- ARGV[1]  the lease that a Lead gets, named by the process that asks: "<process>.<number>"
-- ARGV[2]  the answer's cache key, 16 bytes; "": neither looked up, nor collapsed, nor stored
-- ARGV[3]  1 look up + 2 collapse
-- ARGV[4]  the age of the oldest acceptable answer, in ms; -1: any fresh one
-- ARGV[5]  how long a flight is held without a beat, in ms
-- ARGV[6]  "" or the claims, one JSON object (redis/codec.py encodes it and decodes the states):
--            rates     [[key, limit, window_s, unit, amount, policy], ...]
--            budgets   [[key, limit, [[start, end], ...], rolling_s or 0, policy], ...]
--            worst     [nano-USD, ...] dearest first
--            lease_ms  how long a reservation lasts that is never settled
--            circuits  [name, ...]
--            share     the share whose debt is returned, "": none
--            worker    whose allowances of the budgets are raised where it makes the call, "": none
--            session   where that worker is asked for them
--            patient   whether to answer `recalled`
--          Numbers in it are exact up to 2^53. Going back they are text by string.format('%.0f'), because
--          cjson.encode rounds to 14 digits.
--
-- ARGV[7]  "" or the key of the conversation whose pin a Lead gets
--
-- Returns {verdict, detail, states, packed, Redis' own name where there are claims: "" once it was emptied, how many
-- requests with claims it has seen: fewer than before once it came back with an older state of itself,
-- pin, its age in ms}
--   0 hit            detail: age in ms; packed: the answer
--   1 follow         detail: the holder's lease
--   2 lead           detail: which of `worst` is reserved, from 0
--   3 rate refused   detail: "<index from 1> <ms>"
--   4 budget refused detail: "<index from 1> <ms>"
--   5 recalled       nothing was taken: a dearer call fits once workers gave back the allowances they are asked for
--   states: "" or JSON {allowances = budgets_allow, rates = rates_states, budgets = budgets_states, circuits = circuits_states, debt = share_debt}
--
-- A refused budget must leave no rate taken, so rates are taken last. A hit and a follower take requests; tokens and calls
-- in progress are checked and reserved where a call must be made.
local HIT, FOLLOW, LEAD, RATE_REFUSED, BUDGET_REFUSED, RECALLED = 0, 1, 2, 3, 4, 5

local now = clock_ms()
local lease, key, flags = ARGV[1], ARGV[2], tonumber(ARGV[3])
local lookup, collapse = flags % 2 == 1, flags >= 2
local claims = ARGV[6] ~= '' and cjson.decode(ARGV[6]) or nil

local function reply(verdict, detail, packed)
  local states, redis_name, count = '', '', 0
  if claims then
    redis_name = redis.call('GET', ROOT .. ':name') or ''
    count = redis.call('INCRBY', ROOT .. ':count', 1)
    local allows = verdict == LEAD and claims.worker ~= '' and #claims.budgets > 0
    states = cjson.encode({
      allowances = allows and budgets_allow(
        now, claims.budgets, claims.worker, claims.session, claims.worst[#claims.worst], count
      ) or {},
      rates = rates_states(now, claims.rates),
      budgets = budgets_states(now, claims.budgets),
      circuits = circuits_states(now, claims.circuits),
      debt = claims.share ~= '' and share_debt(claims.share) or nil,
    })
  end
  local pin, age
  if verdict == LEAD and ARGV[7] ~= '' then pin, age = pins_get(now, ARGV[7]) end
  return {verdict, detail, states, packed or '', redis_name, count, pin or '', string.format('%.0f', age or 0)}
end

local function check_rates(requests)
  local refused, wait = rates_check(now, claims.rates, requests)
  return refused and reply(RATE_REFUSED, string.format('%d %.0f', refused, wait))
end

if claims then
  leases_sweep(now)
  local refused = check_rates(true)
  if refused then return refused end
end

if key ~= '' then
  if lookup then
    local packed, age = answers_get(now, key, tonumber(ARGV[4]), false)
    if packed then
      if claims then rates_take(now, claims.rates) end
      return reply(HIT, string.format('%.0f', age), packed)
    end
  end
  local holder = collapse and flights_holder(now, key)
  if holder then
    if claims then rates_take(now, claims.rates) end
    return reply(FOLLOW, holder)
  end
end

local fits = 0
if claims then
  local refused, wait = check_rates(false)
  if refused then return refused end
  fits, refused, wait = budgets_fit(now, claims.budgets, claims.worst)
  if fits ~= 0 and claims.patient and budgets_recall(now, claims.budgets, claims.worst, fits) > 0 then
    return reply(RECALLED, '')
  end
  if not fits then return reply(BUDGET_REFUSED, string.format('%d %.0f', refused, wait)) end
  local parts = rates_take(now, claims.rates)
  local reserved = rates_reserved(now, claims.rates)
  for _, part in ipairs(budgets_parts(now, claims.budgets, claims.worst[fits + 1])) do table.insert(reserved, part) end
  if #reserved > 0 then
    for _, part in ipairs(reserved) do table.insert(parts, part) end
    lease_open(now, lease, claims.lease_ms, parts)
  end
end
if key ~= '' and collapse then flights_hold(now, key, lease, tonumber(ARGV[5])) end
return reply(LEAD, tostring(fits))
