-- ARGV[1] circuit  ARGV[2] the claim
circuits_release(ARGV[1], ARGV[2])
return 1
