"""The commented settings file that `turnout init` writes."""

from __future__ import annotations

import json

# What is commented out is as it would be without it, or what one would likely want.
TEMPLATE = """\
# Turnout's settings. Each is described in docs/reference/settings.md; an unknown one is refused with the nearest right
# one. `turnout check` says what this file means.

[tiers.cheap]
models = [{cheap}]
[tiers.expensive]
models = [{expensive}]                # further ones are its fallbacks, in order

# Keys come from the environment as litellm expects them (OPENAI_API_KEY, ...), or from the variable named here.
# [models.{cheap}]
# api_key_env = "MY_KEY"
# params = {{ api_base = "http://127.0.0.1:9001/v1" }}
{servers}
[routing]
scorer = "default"                    # a start; `turnout train LOGS -o scorer.turnout` learns from your logs
max_expensive_share = 0.3             # at most this share goes to the expensive tier; with a trained scorer rather:
# keep_quality = 0.95                 # the smallest share that keeps this much of all-expensive's quality
# aliases = {{ "gpt-4o" = "auto" }}     # names that old code asks for

[cache]
ttl_s = 3600                          # an equal request of the same user is answered from the cache for so long

# [identity]
# user_header = "x-user-id"           # who asks; only behind something that sets it

# [limits]                            # refused with 429 and Retry-After beyond these
# per_user = "60/minute"

# [budgets]                           # USD, never exceeded
# per_user = "1/day"
# total = "50/day"

# [log]
# path = "requests.jsonl"             # one JSON line a request; `turnout label` and `turnout train` read it
# content = true                      # prompts too, without which there is nothing to train on

# [status]
# token_env = "TURNOUT_STATUS_TOKEN"  # switches /turnout/status and /turnout/metrics on, for whoever has the token

{redis}"""
REDIS = """\
# {comment}
{mark}[redis]
{mark}url = "redis://localhost:6379/0"
"""


SERVERS = """
# Another address than the provider's own. Where it has other prices, set them: litellm's table has the provider's.
{servers}"""
SERVER = """\
[models.{name}]
params = {{ api_base = {address} }}
# api_key_env = "MY_KEY"              # no key is sent there without this line
# input_usd_per_million = 0.0
# output_usd_per_million = 0.0
"""


def settings_text(cheap: str, expensive: str, *, has_redis: bool, address: str = "") -> str:
    """The file's text. has_redis: whether the project has a Redis, which is then offered by its name. address: of the
    server that OpenAI's models are asked at; "" for its own."""
    comment = (
        "The project has a REDIS_URL: with it here, cache, limits and budgets are of all workers together."
        if has_redis
        else "With a Redis, cache, limits and budgets are of all workers together."
    )
    # Commented out in either case: an address with a password does not belong into a file that is committed.
    redis = REDIS.format(comment=comment, mark="# ")
    asked_there = [name for name in (cheap, expensive) if address and name.startswith("openai/")]
    parts = "".join(SERVER.format(name=json.dumps(name), address=json.dumps(address)) for name in asked_there)
    servers = SERVERS.format(servers=parts) if parts else ""
    return TEMPLATE.format(cheap=json.dumps(cheap), expensive=json.dumps(expensive), redis=redis, servers=servers)
