-- Breakers' shared states: one hash, {root}:circuits, name -> "<1 open, 0 not> <open until> <paused until>", ms
-- since 1970. An open circuit stays open until another state is posted: its time only says when to probe it.
-- Claims of what one process does for all, probes and alerts: {root}:c:<name> = "<until> <claim>", a key each, which
-- Redis forgets when its time is over.

local CIRCUITS = ROOT .. ':circuits'

-- Returns for each name that was posted {name, 1 open or 0, ms it stays open, ms it stays paused}, numbers as text.
local function circuits_states(now, names)
  if #names == 0 then return {} end
  local states = {}
  local posted = redis.call('HMGET', CIRCUITS, unpack(names))
  for index, name in ipairs(names) do
    if posted[index] then
      local is_open, open, paused = posted[index]:match('^(%d) (%d+) (%d+)$')
      table.insert(states, {
        name,
        is_open,
        string.format('%.0f', math.max(0, open - now)),
        string.format('%.0f', math.max(0, paused - now)),
      })
    end
  end
  return states
end

-- A closed circuit is posted too, so that processes which still hold it for open learn of it.
local function circuits_post(now, name, is_open, open_ms, paused_ms)
  local state = string.format('%d %.0f %.0f', is_open, now + open_ms, now + paused_ms)
  redis.call('HSET', CIRCUITS, name, state)
  -- Forgotten a day after the last post: every process that knew of it may have died.
  redis.call('PEXPIRE', CIRCUITS, 86400000)
end

local function circuits_claim_name(name)
  return ROOT .. ':c:' .. name
end

local function circuits_claim(now, name, claim, lease_ms)
  local held = redis.call('GET', circuits_claim_name(name))
  if held and tonumber(held:match('^%d+')) > now then return 0 end
  local value = string.format('%.0f %s', now + lease_ms, claim)
  redis.call('SET', circuits_claim_name(name), value, 'PX', math.max(1, lease_ms))
  return 1
end

local function circuits_release(name, claim)
  local held = redis.call('GET', circuits_claim_name(name))
  if held and held:match('^%d+ (.*)$') == claim then redis.call('DEL', circuits_claim_name(name)) end
end
