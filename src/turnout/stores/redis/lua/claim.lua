-- ARGV[1] circuit  ARGV[2] who probes it  ARGV[3] for how long, ms. Returns 1, or 0 where another does.
return circuits_claim(clock_ms(), ARGV[1], ARGV[2], tonumber(ARGV[3]))
