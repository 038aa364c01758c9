"""The Lua scripts that Redis runs: lua/<name>.lua each, behind the functions that all of them share."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from importlib.resources import files

# Files of lua/functions/, in the order that they need: a local function is known to what follows it.
FUNCTIONS = (
    *("clock", "answers", "flights", "pins", "accounts", "allowances"),
    *("leases", "rates", "budgets", "circuits", "shares", "restore"),
)
# Functions that one script alone needs.
OWN_FUNCTIONS = {
    "jobs": ("jobs",),
    **dict.fromkeys(("exchange_checks", "forget_check_results"), ("check_results",)),
    **{f"semantic_{verb}": ("semantic",) for verb in ("add", "remove", "purge", "load", "since")},
}


class Scripts:
    """The scripts by name. overrides: texts used in place of files of functions, such as a clock that a test moves."""

    def __init__(self, overrides: Mapping[str, str] | None = None) -> None:
        overridden = overrides or {}
        functions = (overridden.get(name) or _read(f"functions/{name}") for name in FUNCTIONS)
        self._functions = "\n".join(["local ROOT = KEYS[1]", *functions])
        self._scripts: dict[str, tuple[str, str]] = {}

    def __getitem__(self, name: str) -> tuple[str, str]:
        """Returns a script's text, and the digest that Redis knows it by."""
        if name not in self._scripts:
            own = (_read(f"functions/{part}") for part in OWN_FUNCTIONS.get(name, ()))
            text = "\n".join([self._functions, *own, _read(name)])
            self._scripts[name] = (text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest())
        return self._scripts[name]


def _read(name: str) -> str:
    return (files("turnout.stores.redis") / "lua" / f"{name}.lua").read_text("utf-8")
