-- ARGV[1] which share  ARGV[2] the debt that is added, in millionths of a call  ARGV[3] the count that was returned last
-- ARGV[4] the scores that are added, 8 bytes each
-- Returns {debt of all, count, others' scores since, processes seen in the last minute}
return share_add(ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4])
