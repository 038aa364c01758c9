-- A stored answer, fresh or kept. ARGV[1] key. Returns {age in ms, packed} or {}.
local packed, age = answers_get(clock_ms(), ARGV[1], -1, true)
if not packed then return {} end
return {string.format('%.0f', age), packed}
