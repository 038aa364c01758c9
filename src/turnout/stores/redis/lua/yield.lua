-- A worker gives its allowances back: it uses them no longer.
--
-- ARGV[1] the worker  ARGV[2...] name of the account after the root, and the version of the allowance that it knows.
-- One that was raised since is kept: the worker is about to hear of it.
for at = 2, #ARGV, 2 do
  local name = allowances_name(ROOT .. ':' .. ARGV[at])
  local version = (redis.call('HGET', name, ARGV[1]) or ''):match('^%d+ (%d+) ')
  if version == ARGV[at + 1] then redis.call('HDEL', name, ARGV[1]) end
end
return 1
