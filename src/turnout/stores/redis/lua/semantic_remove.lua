-- Forgets one question.
--
-- ARGV[1] its key
-- Returns 1, or 0 where there was none
if not semantic_delete(ARGV[1]) then return 0 end
semantic_tell(clock_ms(), 'd', ARGV[1])
return 1
