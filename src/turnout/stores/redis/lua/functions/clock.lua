-- Milliseconds since 1970 by Redis' own clock: no worker's clock decides anything.
-- Tests replace it by a clock that they move.
local function clock_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end
