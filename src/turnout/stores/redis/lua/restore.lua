-- ARGV[1] JSON {rates = ..., budgets = ...}; see functions/restore.lua.
local now = clock_ms()
local states = cjson.decode(ARGV[1])
rates_restore(now, states.rates)
budgets_restore(now, states.budgets)
return 1
