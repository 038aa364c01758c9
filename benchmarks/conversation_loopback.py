"""A few simulated conversations served in earnest: Turnout, litellm and HTTP to a provider with a prompt cache."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from conversation_traffic import (
    A_TOKEN,
    CACHE_LIFE_S,
    FILLER,
    PRICES,
    App,
    Conversation,
    ModelPrice,
    Shape,
    conversations,
    ours,
)
from turnout import Turnout
from turnout.context import Caller
from turnout.openai.requests import from_call
from turnout.ports.scoring import Query, Score
from turnout.records import Tier
from turnout.testing import ManualClock

BOOKS = "gpt-5-mini, gpt-5"
THRESHOLD = 0.6


class Provider:
    """Speaks OpenAI's protocol on loopback; finds the longest prefix of the messages that it was sent before, by time
    of the clock, and keeps books."""

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock
        self._prices: Mapping[str, ModelPrice] = {p.name.partition("/")[2]: p for p in PRICES[BOOKS].values()}
        # By model and messages: how many tokens, and when it was last used.
        self._cached: dict[tuple[str, str], tuple[int, float]] = {}
        self.books = 0.0
        self.output = 0
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
                body = json.dumps(provider.answer(asked)).encode()
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.base = f"http://127.0.0.1:{self._server.server_address[1]}/v1"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def answer(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """The answer, whose usage tells what was cached."""
        model, messages, now = asked["model"], asked["messages"], self._clock.monotonic()
        price = self._prices[model]
        prompt = sum(len(message["content"]) for message in messages) // A_TOKEN
        cached = 0
        for count in range(1, len(messages)):
            tokens, used = self._cached.get((model, json.dumps(messages[:count])), (0, 0.0))
            if tokens >= price.least and now - used <= CACHE_LIFE_S:
                cached = tokens
        self._cached[model, json.dumps(messages)] = (prompt, now)
        self.books += price.cost(prompt, self.output, cached)
        choice = {"index": 0, "finish_reason": "stop"}
        usage = {
            "prompt_tokens": prompt,
            "completion_tokens": self.output,
            "total_tokens": prompt + self.output,
            "prompt_tokens_details": {"cached_tokens": cached},
        }
        message = {"role": "assistant", "content": FILLER[: A_TOKEN * self.output]}
        frame = {"id": "c", "object": "chat.completion", "created": 1, "model": model}
        return {**frame, "choices": [{**choice, "message": message}], "usage": usage}

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class TextScorer:
    """The app's scores by the text of the last turn, and its scorer's exchange rate."""

    is_default = False

    def __init__(self, app: App, texts: Mapping[str, int]) -> None:
        self._app, self._texts = app, texts
        self.version, self.gain_at = app.scorer.version, app.scorer.gain_at

    def score(self, query: Query) -> Score:
        return self._app.scores[self._texts[str(query.messages[-1]["content"])]]


async def served_in_earnest(app: App) -> dict[str, Any]:
    """How many turns were served, decided as the simulation decides them, and the two bills, in USD."""
    talks = [talk for context in (2_000, 60_000) for talk in _some(app, context)]
    simulated = ours(app, talks, lambda: THRESHOLD)
    clock = ManualClock(start=0.0)
    provider = Provider(clock)
    config = {
        "tiers": {tier: {"models": [price.name]} for tier, price in PRICES[BOOKS].items()},
        "models": {p.name: {**p.section, "params": {"api_base": provider.base}} for p in PRICES[BOOKS].values()},
        "routing": {"threshold": THRESHOLD},
        "cache": {"enabled": False},
        "upstream": {"transport": "litellm"},
    }
    texts = {_text(row): row for talk in talks for row in talk.rows}
    billed, decided = 0.0, [list[Tier]() for _ in talks]
    said: list[list[dict[str, Any]]] = [[] for _ in talks]
    try:
        async with Turnout(config, clock=clock, scorer=TextScorer(app, texts)) as turnout:
            order = sorted((talk.times[at], number, at) for number, talk in enumerate(talks) for at in range(len(talk)))
            for now, number, at in order:
                await clock.advance(max(0.0, now - clock.monotonic()))
                talk, provider.output = talks[number], talks[number].outputs[at]
                said[number] += _question(talk, at, said[number])
                request = from_call(said[number], stream=False, params={"model": "auto"})
                context = replace(turnout.context(Caller(user="ann")), session_id=talk.id)
                answer = await turnout.completed(request, context)
                said[number].append({"role": "assistant", "content": answer.text})
                billed += float(answer.outcome.cost_usd)
                decided[number].append(answer.outcome.tier)
    finally:
        provider.close()
    same = sum(
        one == other
        for mine, theirs in zip(decided, simulated, strict=True)
        for one, other in zip(mine, theirs, strict=True)
    )
    assert abs(billed - provider.books) < 1e-6, (billed, provider.books)
    turns = sum(map(len, talks))
    return {"turns": turns, "decided_as_simulated": same, "billed_usd": billed, "providers_books_usd": provider.books}


def _some(app: App, context: int) -> Sequence[Conversation]:
    shape = Shape(turns=6, contexts=(context,), prices=(BOOKS,))
    return [replace(talk, id=f"{talk.id}-{context}") for talk in conversations(app, shape, 48, seed=context)]


def _text(row: int) -> str:
    return f"question {row}"


def _question(talk: Conversation, at: int, said: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The turn's messages: its question, and before it as much text as makes its prompt as long as the simulation's."""
    text = _text(talk.rows[at])
    had = sum(len(message["content"]) for message in said)
    filler = {
        "role": "system" if not said else "user",
        "content": FILLER[: A_TOKEN * talk.prompts[at] - had - len(text)],
    }
    return [filler, {"role": "user", "content": text}]
