-- Adds what one worker has checked and learnt to what all have, and tells it what is new.
--
-- {root}:sb:<worker> is the number of a worker's last batch, for a day: no older one is taken.
--
-- ARGV[1] the sums' name  ARGV[2] the worker  ARGV[3] the batch's number, 0: nothing to add  ARGV[4] its age, ms
-- ARGV[5] the last result that the worker has  ARGV[6] how many to read  ARGV[7] how many counts, ARGV[8...] they, then of
-- each result: packed, user, user
-- Returns {the sums, the last result read, 1 where there may be more, {kind, value or user}, ...}
local last_batch = ROOT .. ':sb:' .. ARGV[2]
local number, age, count, counts = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[6]), tonumber(ARGV[7])
local begun = clock_ms() - age

local function is_forgotten(what)
  local at = redis.call('GET', forgotten_name(what))
  return at and begun <= tonumber(at)
end

if age < FORGOTTEN_S * 1000 and number > tonumber(redis.call('GET', last_batch) or 0) then
  redis.call('SET', last_batch, ARGV[3], 'EX', FORGOTTEN_S)
  if not is_forgotten('sums') then
    for i = 1, counts do
      if ARGV[7 + i] ~= '0' then redis.call('HINCRBY', SUMS, ARGV[1] .. ':' .. i, ARGV[7 + i]) end
    end
    redis.call('PEXPIRE', SUMS, RESULTS_KEPT_MS)
  end
  for i = 8 + counts, #ARGV, 3 do
    if not (is_forgotten('') or is_forgotten(ARGV[i + 1]) or is_forgotten(ARGV[i + 2])) then
      result_add('l', ARGV[i + 1], ARGV[i + 2], ARGV[i])
    end
  end
end

local sums, last, news = {}, ARGV[5], {}
for i = 1, counts do
  sums[i] = tonumber(redis.call('HGET', SUMS, ARGV[1] .. ':' .. i) or 0)
end
local members = results_since(last, count)
for _, member in ipairs(members) do
  local id, kind, user, _, value = result_read(member)
  last = id
  table.insert(news, {kind, kind == 'f' and user or value})
end
return {sums, last, #members == count and 1 or 0, unpack(news)}
