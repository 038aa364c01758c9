"""The commented settings file that `turnout init` writes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from ipaddress import ip_address
from urllib.parse import urlsplit

from turnout.cli.log_input import price_of
from turnout.cli.model_calls import ModelServer
from turnout.cli.tier_choice import TierChoice

# What is commented out is as it would be without it, or what one would likely want.
TEMPLATE = """\
# Turnout's settings. Each is described in docs/reference/settings.md; an unknown one is refused with the nearest right
# one. `turnout check` says what this file means.

[tiers.cheap]
models = [{cheap}]{cheap_note}
[tiers.expensive]                     # further models are its fallbacks, in order
models = [{expensive}]{expensive_note}

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


def settings_text(tiers: TierChoice, *, has_redis: bool) -> str:
    """The file's text. has_redis: whether the project has a Redis, which is then offered by its name."""
    comment = (
        "The project has a REDIS_URL: with it here, cache, limits and budgets are of all workers together."
        if has_redis
        else "With a Redis, cache, limits and budgets are of all workers together."
    )
    # Commented out in either case: an address with a password does not belong into a file that is committed.
    redis = REDIS.format(comment=comment, mark="# ")
    parts = "".join("\n".join([*_server(name, server), ""]) for name, server in tiers.servers.items())
    servers = SERVERS.format(servers=parts) if parts else ""
    cheap, expensive = (
        (json.dumps(name), "   # a guess: the code does not name it" if name in tiers.guessed else "")
        for name in (tiers.cheap, tiers.expensive)
    )
    return TEMPLATE.format(
        cheap=cheap[0], cheap_note=cheap[1], expensive=expensive[0], expensive_note=expensive[1],
        redis=redis, servers=servers,
    )  # fmt: skip


def _server(name: str, server: ModelServer) -> Iterator[str]:
    """The section of a model that is asked at another address."""
    version = f", api_version = {json.dumps(server.api_version)}" if server.api_version else ""
    yield f"[models.{json.dumps(name)}]"
    yield f"params = {{ api_base = {json.dumps(server.address)}{version} }}"
    if server.provider == "azure":
        # That resource's own key, by the name that Azure's client reads it by.
        yield 'api_key_env = "AZURE_OPENAI_API_KEY"'
        return
    yield '# api_key_env = "MY_KEY"              # no key is sent there without this line'
    mark = "" if price_of(name) is None and _is_at_home(server.address) else "# "
    yield f"{mark}input_usd_per_million = 0.0"
    yield f"{mark}output_usd_per_million = 0.0"


def _is_at_home(address: str) -> bool:
    """Whether the server is on this machine or in its own network: nobody is paid for its answers."""
    host = urlsplit(address).hostname or ""
    try:
        return ip_address(host).is_private
    except ValueError:
        # A name without a dot is one of this network: localhost, a container's.
        return "." not in host or host.endswith((".local", ".internal"))
