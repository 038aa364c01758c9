-- Deletes one stored answer.
--
-- ARGV[1] its key
-- Returns 1, or 0 where there was none
return answers_delete(ARGV[1]) and 1 or 0
