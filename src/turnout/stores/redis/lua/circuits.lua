-- Breakers' shared states: one hash, {root}:circuits, name -> "<1 open, 0 not> <open until> <paused until>", ms
-- since 1970. An open circuit stays open until another state is posted: its time only says when to probe it.
-- And who probes: {root}:probes, name -> "<until> <who>".

local function circuits_name()
  return ROOT .. ':circuits'
end

-- For each name that is known {name, 1 open or 0, ms it stays open, ms it stays paused}, numbers as text.
local function circuits_states(now, names)
  if #names == 0 then return {} end
  local told = {}
  local found = redis.call('HMGET', circuits_name(), unpack(names))
  for index, name in ipairs(names) do
    if found[index] then
      local is_open, open, paused = found[index]:match('^(%d) (%d+) (%d+)$')
      table.insert(told, {
        name,
        is_open,
        string.format('%.0f', math.max(0, open - now)),
        string.format('%.0f', math.max(0, paused - now)),
      })
    end
  end
  return told
end

-- A closed one too: who still holds it for open hears of it, and keeps its own idea of what is not told.
local function circuits_post(now, name, is_open, open_ms, paused_ms)
  local told = string.format('%d %.0f %.0f', is_open, now + open_ms, now + paused_ms)
  redis.call('HSET', circuits_name(), name, told)
  -- Where every process that knew of it has died, it is forgotten after a day.
  redis.call('PEXPIRE', circuits_name(), 86400000)
end

local function circuits_claim(now, name, who, lease_ms)
  local held = redis.call('HGET', ROOT .. ':probes', name)
  if held and tonumber(held:match('^%d+')) > now then return 0 end
  redis.call('HSET', ROOT .. ':probes', name, string.format('%.0f %s', now + lease_ms, who))
  return 1
end

local function circuits_release(name, who)
  local held = redis.call('HGET', ROOT .. ':probes', name)
  if held and held:match('^%d+ (.*)$') == who then redis.call('HDEL', ROOT .. ':probes', name) end
end
