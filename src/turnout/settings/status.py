"""The `[status]` section: who may read the status page, its JSON and the metrics."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_network

from turnout.redaction import is_variable_name
from turnout.settings.reader import NO_VALUE, require


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """token_env: names the environment variable that holds the token; "": page, JSON and metrics are off, and nothing
    is counted. allow_networks: who reads the metrics without a token. user_ids: whether the top spenders are shown by
    their ids."""

    token_env: str = ""
    allow_networks: tuple[str, ...] = ()
    # A page is looked at over shoulders and in screenshots: a hash tells who spends to those who know the user.
    user_ids: bool = False

    def __post_init__(self) -> None:
        good = not self.token_env or is_variable_name(self.token_env)
        require(good, "token_env", NO_VALUE, "is the name of an environment variable, such as TURNOUT_STATUS_TOKEN")
        for network in self.allow_networks:
            try:
                ip_network(network)
            except ValueError:
                require(False, "allow_networks", network, 'is no network; write it as "10.0.0.0/8"')
