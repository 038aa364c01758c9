-- ARGV[1] circuit  ARGV[2] who probed it
circuits_release(ARGV[1], ARGV[2])
return 1
