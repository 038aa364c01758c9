-- ARGV[1] circuit  ARGV[2] 1 open, 0 not  ARGV[3] how long it stays open, ms  ARGV[4] how long paused, ms
circuits_post(clock_ms(), ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]))
return 1
