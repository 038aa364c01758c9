-- Reserves more under a lease. ARGV[1] lease  ARGV[2] how much more, nano-USD  ARGV[3] how many tokens more.
-- Returns 1, 0 or -1: see lease_top_up.
local now = clock_ms()
leases_sweep(now)
return lease_top_up(now, ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]))
