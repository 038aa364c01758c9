-- Breakers' shared states: one hash, {root}:circuits, name -> "<open until> <paused until>", ms since 1970.

local function circuits_name()
  return ROOT .. ':circuits'
end

-- For each name that is not closed {name, ms it stays open, ms it stays paused}, whole numbers as text.
local function circuits_states(now, names)
  if #names == 0 then return {} end
  local told = {}
  local found = redis.call('HMGET', circuits_name(), unpack(names))
  for index, name in ipairs(names) do
    if found[index] then
      local open, paused = found[index]:match('^(%d+) (%d+)$')
      open, paused = math.max(0, open - now), math.max(0, paused - now)
      if open > 0 or paused > 0 then
        table.insert(told, {name, string.format('%.0f', open), string.format('%.0f', paused)})
      end
    end
  end
  return told
end
