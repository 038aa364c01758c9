-- Books what a worker admitted by itself while Redis was unreachable. Told twice, it is booked once.
--
-- ARGV[1] the report's name  ARGV[2] ms since it was written
-- ARGV[3] JSON (redis/codec.py encodes it); amounts are {{ms before it was written, amount}, ...}
--   rates    {{key, limit, window_s, unit, amount, policy, amounts}, ...}
--   budgets  {{key, limit, windows, rolling_s, policy, start, end, amounts}, ...}  start and end: 0 of a rolling one
--   calls    {{lease, ms, rates, budgets, nano-USD, tokens}, ...}  under way: reserved, whatever the limits say
-- ARGV[4] the worker, whose allowances are lowered by what is booked
-- Returns {rates_states, budgets_states} as JSON, in the order of rates and budgets: as they stand now.
local now, elapsed = clock_ms(), tonumber(ARGV[2])
local report = cjson.decode(ARGV[3])
local is_new = redis.call('SET', ROOT .. ':o:' .. ARGV[1], 1, 'NX', 'PX', 86400000)

local function spend(account, amounts)
  for _, pair in ipairs(amounts) do
    account_spend(account, now, now - elapsed - pair[1], pair[2])
    allowance_lower(now, account, ARGV[4], pair[2])
  end
end

if is_new then
  for _, claim in ipairs(report.rates) do spend(rate_account(now, claim), claim[7]) end
  for _, claim in ipairs(report.budgets) do
    if claim[4] > 0 then
      spend(budget_account(now, claim), claim[8])
    else
      local name = string.format('%s:b:%.0f-%.0f:%s', ROOT, claim[6], claim[7], claim[1])
      spend(account_open(name, now, 0, claim[2], claim[7] * 1000), claim[8])
    end
  end
  for _, call in ipairs(report.calls) do
    local parts = rates_reserved(now, call[3])
    for _, part in ipairs(parts) do
      if part[1] == 'tokens' then part[6] = num(call[6]) end
    end
    for _, claim in ipairs(call[4]) do
      local account = budget_account(now, claim)
      if account then
        table.insert(parts, part_of('usd', account, claim[2], call[5], '0'))
        allowance_lower(now, account, ARGV[4], call[5])
      end
    end
    if #parts > 0 then lease_open(now, call[1], call[2], parts) end
  end
end
return cjson.encode({rates_states(now, report.rates), budgets_states(now, report.budgets)})
