-- ARGV[1] circuit  ARGV[2] the claim  ARGV[3] for how long, ms. Returns 1, or 0 where another claim holds.
return circuits_claim(clock_ms(), ARGV[1], ARGV[2], tonumber(ARGV[3]))
