"""Faults of one provider while another stands by, over real HTTP."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from tests.support.faults import cascade_load
from tests.support.faults.cascade_load import CHEAP, EXPENSIVE, CascadeLoad
from tests.support.faults.load import BUDGET_USD, CALL_USD, TOKENS, Load, reserved_usd
from tests.support.faults.row import Row
from tests.support.faults.wire_load import EMBEDDER, EmbeddingLoad, WireLoad
from tests.support.scripted_provider import Answer, Failure, Received, Reply, ScriptedServer, Tokens
from turnout import Turnout
from turnout.testing import FixedScorer

BEFORE_S, DURING_S, AFTER_S = 1.0, 2.0, 3.0
RESET_S = 1.0

SICK: dict[str, dict[str, Any]] = {
    "a provider hangs": {"fault": "hang"},
    "a provider drips": {"fault": "drip"},
    "a provider is cut off": {"fault": "cut"},
    "a provider sends garbage": {"fault": "garbage"},
    "a provider's 429 storm": {"kind": "rate_limited"},
    "a provider starts slowly": {"delay_s": 1.5},
}
OTHERS, VECTORS = ", other protocols", ", embeddings"
# By a cascade's load: the tier whose first model is sick.
CASCADES = {", a cascade's cheap tier": CHEAP, ", a cascade's expensive tier": EXPENSIVE}
FAULTS = {name + load: fault for load in ("", OTHERS, VECTORS, *CASCADES) for name, fault in SICK.items()}
# What a text for a vector is told to cost in tokens: less than its bound, a byte a token and what stands around it.
TEXT_TOKENS = 20


class Scripted:
    """One model meets the fault while it lasts; all repeat the prompt, or give its vector, or answer as a cascade's
    models do, and keep books otherwise."""

    def __init__(self, fault: str) -> None:
        self._fault = FAULTS[fault]
        self._cascade = _cascaded(fault)
        self._sick = "embedder" if fault.endswith(VECTORS) else self._cascade or "first"
        self.lasts = False
        self.calls: dict[str, int] = {}

    def __call__(self, request: Received) -> Reply:
        text = str(request.body["input"][0] if "input" in request.body else request.body["messages"][-1]["content"])
        user, model = text.partition(" ")[0], request.body["model"]
        sick = self.lasts and model == self._sick
        said = cascade_load.answer_of(model, text) if self._cascade else text
        tokens = Tokens(prompt=TEXT_TOKENS) if "input" in request.body else Tokens(prompt=0, completion=TOKENS)
        if sick:
            if "kind" in self._fault:
                return Failure(kind=self._fault["kind"], retry_after=1)
            if "fault" in self._fault:
                return Answer(text=said, tokens=tokens, **self._fault)
        self.calls[user] = self.calls.get(user, 0) + 1
        return Answer(text=said, tokens=tokens, delay_s=self._fault.get("delay_s", 0.0) if sick else 0.0)

    @property
    def overspent_usd(self) -> float:
        return sum(max(0.0, calls * CALL_USD - BUDGET_USD) for calls in self.calls.values())


def _cascaded(fault: str) -> str | None:
    """The sick model of a cascade's load; None by another load."""
    return next((model for load, model in CASCADES.items() if fault.endswith(load)), None)


def settings(origin: str, routing: dict[str, Any]) -> dict[str, Any]:
    price = CALL_USD / TOKENS * 1e6
    names = ["openai/first", "openai/second", "openai/large"]
    model = {"input_usd_per_million": 0, "output_usd_per_million": price, "max_output_tokens": TOKENS, "timeout_s": 0.5}
    model |= {"first_token_timeout_s": 0.5, "chunk_timeout_s": 0.5}
    return {
        "tiers": {"cheap": {"models": names[:2]}, "expensive": {"models": names[2:]}},
        "models": {
            **{name: {**model, "params": {"api_base": f"{origin}/v1"}} for name in names},
            EMBEDDER: {
                "input_usd_per_million": CALL_USD / TEXT_TOKENS * 1e6,
                "output_usd_per_million": 0,
                "timeout_s": 0.5,
                "params": {"api_base": f"{origin}/v1"},
            },
        },
        "routing": routing,
        "identity": {"user_header": "x-user-id"},
        "budgets": {"per_user": f"{BUDGET_USD}/30d"},
        "breaker": {"reset_s": RESET_S},
        "retry": {"attempts": 1, "deadline_s": 10.0},
    }


async def run(fault: str) -> tuple[Row, list[str]]:
    """The row of this fault, and what was wrong in it."""
    script, cascaded = Scripted(fault), _cascaded(fault) is not None
    scorer = cascade_load.scorer() if cascaded else FixedScorer(0.1)
    with ScriptedServer() as server:
        server.script = script
        routing = cascade_load.ROUTING if cascaded else {"threshold": 1.0}
        async with Turnout(settings(server.origin, routing), scorer=scorer) as turnout:
            load = _load(fault, turnout)
            await load.run(BEFORE_S)
            script.lasts = True
            await load.run(DURING_S)
            script.lasts, ended = False, time.monotonic()
            await load.run(AFTER_S)
            await load.finish()
            held = await reserved_usd(turnout, load.users)
            if isinstance(load, WireLoad):
                await load.close()
    unseen = load.unseen if isinstance(load, CascadeLoad) else []
    overspent = script.overspent_usd
    row = load.row(fault, ended=ended, overspent_usd=overspent, reserved_usd=held, heals_within_s=2.0)
    return row, [*load.wrong, *unseen]


def _load(fault: str, turnout: Turnout) -> Load:
    if fault.endswith(VECTORS):
        return EmbeddingLoad(turnout)
    if _cascaded(fault):
        return CascadeLoad(turnout)
    return WireLoad(turnout) if fault.endswith(OTHERS) else Load([turnout])


def measure(fault: str) -> tuple[Row, list[str]]:
    """As `run`, on a loop of its own."""
    return asyncio.run(run(fault))
