-- The fresh ones of many stored answers. ARGV[1] the oldest acceptable age, ms, or -1  ARGV[2..] keys.
-- Returns for each key the packed answer, or "" where there is none.
local now, max_age, found = clock_ms(), tonumber(ARGV[1]), {}
for index = 2, #ARGV do
  found[index - 1] = answers_get(now, ARGV[index], max_age, false) or ''
end
return found
