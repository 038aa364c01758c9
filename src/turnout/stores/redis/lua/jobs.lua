-- ARGV[1] the verb, a function of functions/jobs.lua  ARGV[2...] its arguments after the time
return J[ARGV[1]](clock_ms(), unpack(ARGV, 2))
