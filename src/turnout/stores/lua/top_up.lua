-- Reserves more under a lease. ARGV[1] lease  ARGV[2] how much more, nano-USD. Returns 1 or 0.
return budgets_top_up(clock_ms(), ARGV[1], tonumber(ARGV[2])) and 1 or 0
