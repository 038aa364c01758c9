-- What a worker knows of the current windows, told again to a Redis that came back empty: the most that any
-- worker knows holds. Called by restore.lua with the states as they stood, each claim followed by its state:
--   rates    {{key, limit, window_s, unit, amount, policy, remaining, reset_ms}, ...}
--   budgets  {{key, limit, windows, rolling_s, policy, spent, reserved, start, end}, ...}

local function rates_restore(now, told)
end

local function budgets_restore(now, told)
end
