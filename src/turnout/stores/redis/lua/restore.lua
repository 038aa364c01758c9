-- ARGV[1] JSON {rates = ..., budgets = ...}; see restores.lua.
local now = clock_ms()
local told = cjson.decode(ARGV[1])
rates_restore(now, told.rates)
budgets_restore(now, told.budgets)
return 1
