-- Forgets what checks taught, a bounded number of results a call; called again until the reply is empty.
--
-- ARGV[1] the user whose results go, '' for all  ARGV[2] '1': the sums go too  ARGV[3] how many results to check now
-- ARGV[4], ARGV[5] '' at first, then the last reply: the last result that was checked, and the purge's own number
local user, count, last, own = ARGV[1], tonumber(ARGV[3]), ARGV[4], ARGV[5]

local function forget(what)
  redis.call('SET', forgotten_name(what), string.format('%.0f', clock_ms()), 'EX', FORGOTTEN_S)
end

if own == '' then
  forget(user)
  if ARGV[2] == '1' then
    forget('sums')
    redis.call('UNLINK', SUMS)
  end
  -- First of all, so that no number of a result that goes is given again.
  own = result_add('f', user, '', '')
end
for _, member in ipairs(results_since(last, count)) do
  local number, kind, owner, asker = result_read(member)
  if tonumber(number) >= tonumber(own) then return {} end
  if kind == 'l' and (user == '' or owner == user or asker == user) then redis.call('ZREM', RESULTS, member) end
  last = number
end
return {last, own}
