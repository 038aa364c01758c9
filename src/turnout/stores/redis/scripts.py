"""The Lua that runs inside Redis: each script is its own file behind the functions that it may call."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files

# In this order: a local function is known to what follows it.
FUNCTIONS = ("clock", "answers", "flights", "ledger", "rates", "budgets", "circuits", "tallies", "restores")


@dataclass(frozen=True, slots=True)
class Script:
    """One script's text and the digest that Redis knows it by."""

    text: str
    digest: str

    @classmethod
    def of(cls, text: str) -> Script:
        return cls(text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest())


class Scripts:
    """The scripts by name. `replaced`: texts that stand in for files, as a test's own clock does."""

    def __init__(self, replaced: Mapping[str, str] | None = None) -> None:
        self._replaced = dict(replaced or {})
        self._functions = "\n".join(["local ROOT = KEYS[1]", *map(self._text, FUNCTIONS)])
        self._made: dict[str, Script] = {}

    def __getitem__(self, name: str) -> Script:
        script = self._made.get(name)
        if script is None:
            script = self._made[name] = Script.of(f"{self._functions}\n{self._text(name)}")
        return script

    def _text(self, name: str) -> str:
        if name in self._replaced:
            return self._replaced[name]
        return (files("turnout.stores.redis") / "lua" / f"{name}.lua").read_text("utf-8")
