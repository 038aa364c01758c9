-- wrk's side of benchmarks/overhead.py: arguments are the path, the prompt, "stream" or "whole", and a salt ("" sends
-- one body always).
local threads = 0
function setup(thread) threads = threads + 1; thread:set("number", threads) end
function init(args)
  path, prompt, stream, salt, count = args[1], args[2], args[3], args[4], 0
  headers = {["Content-Type"] = "application/json", ["Host"] = "127.0.0.1", ["Authorization"] = "Bearer sk-benchmark"}
  constant = wrk.format("POST", path, headers, body(""))
end
function body(unique)
  return '{"model":"' .. (os.getenv("BENCH_MODEL") or "auto") .. '","messages":[{"role":"user","content":"' .. prompt .. unique .. '"}]' .. (stream == "stream" and ',"stream":true}' or '}')
end
function request()
  if salt == "" then return constant end
  count = count + 1
  return wrk.format("POST", path, headers, body(salt .. "-" .. number .. "-" .. count))
end
function done(summary, latency, _)
  local e = summary.errors
  io.write(string.format('{"requests": %d, "seconds": %f, "bad": %d, "p50_ms": %f, "p99_ms": %f}\n',
    summary.requests, summary.duration / 1e6, e.connect + e.read + e.write + e.status + e.timeout,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
