"""What conversations.py simulates: conversations, providers that keep a prompt cache, and who routes them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from turnout.context import Caller, RequestContext
from turnout.logs.labelled import Logs, read_logs
from turnout.openai.requests import from_call
from turnout.openai.usage import TokenLimits
from turnout.ports.scoring import Query, Score
from turnout.records import Tier, Usage
from turnout.routing.catalog import Catalog
from turnout.routing.conversation_pins import Conversations
from turnout.routing.router import Router, decisive
from turnout.routing.scorer import FileScorer
from turnout.routing.share_control import ShareControl
from turnout.settings import Settings
from turnout.stores.memory.pins import MemoryPins
from turnout.training.fit import train
from turnout.upstream.model_providers import ModelProviders
from turnout.upstream.prices import price_table

A_TOKEN = 4  # characters
CACHE_LIFE_S = 300.0
MEAN_ANSWER = 300  # tokens
# Think times: (share of the turns, mean seconds): a tool or an agent, a person, a break.
GAPS = ((0.5, 20.0), (0.4, 90.0), (0.1, 1800.0))
ON_ONE_TOPIC = 0.5
FILLER = "x" * (A_TOKEN * 300_000)


@dataclass(frozen=True)
class ModelPrice:
    """USD a million tokens; least: the shortest prompt that the provider caches, in tokens."""

    name: str
    input: float
    cached: float
    written: float
    output: float
    least: int

    @property
    def section(self) -> dict[str, Any]:
        """The [models] section of it."""
        section = {
            "input_usd_per_million": self.input,
            "output_usd_per_million": self.output,
            "cached_input_usd_per_million": self.cached,
        }
        return section if self.written == self.input else {**section, "cache_write_usd_per_million": self.written}

    def cost(self, prompt: int, output: int, cached: int) -> float:
        """What a turn costs, in USD, where so many tokens of its prompt were cached."""
        new = self.written if prompt >= self.least else self.input
        return (cached * self.cached + (prompt - cached) * new + output * self.output) / 1e6


PRICES: Mapping[str, Mapping[Tier, ModelPrice]] = {
    "gpt-5-mini, gpt-5": {
        "cheap": ModelPrice("openai/gpt-5-mini", 0.25, 0.025, 0.25, 2.0, 1024),
        "expensive": ModelPrice("openai/gpt-5", 1.25, 0.125, 1.25, 10.0, 1024),
    },
    "haiku-4.5, sonnet-4.5": {
        "cheap": ModelPrice("anthropic/claude-haiku-4-5", 1.0, 0.1, 1.25, 5.0, 4096),
        "expensive": ModelPrice("anthropic/claude-sonnet-4-5", 3.0, 0.3, 3.75, 15.0, 1024),
    },
}


@dataclass(frozen=True)
class App:
    """Rows that a scorer was not trained on, and its scores of them."""

    name: str
    logs: Logs
    scorer: FileScorer
    scores: Sequence[Score]
    topics: Mapping[str, Sequence[int]]
    lengths: Sequence[int]

    @property
    def expected_gains(self) -> Sequence[float]:
        """What the router takes each row to gain."""
        return [decisive(scored)[1] for scored in self.scores]

    @classmethod
    def of(cls, folder: Path, name: str) -> App:
        """Trained on one half of these labelled logs, to be measured on the other."""
        logs = read_logs([folder / f"{name}.csv.gz"])
        order = np.random.default_rng(0).permutation(len(logs))
        scorer = train(logs.part(order[: len(logs) // 2])).scorer
        kept = logs.part(order[len(logs) // 2 :])
        topics: dict[str, list[int]] = {}
        for row, query in enumerate(kept.queries):
            topics.setdefault(query.tag, []).append(row)
        texts = [str(query.messages[0]["content"]) for query in kept.queries]
        return cls(
            name=name,
            logs=kept,
            scorer=scorer,
            scores=[scorer.score(query) for query in kept.queries],
            topics={topic: rows for topic, rows in topics.items() if len(rows) >= 20},
            lengths=[max(10, len(text) // A_TOKEN) for text in texts],
        )


@dataclass(frozen=True)
class Conversation:
    """times: when each turn comes, in seconds. rows: of the logs. prompts, outputs: tokens of each turn."""

    id: str
    prices: str
    times: Sequence[float]
    rows: Sequence[int]
    prompts: Sequence[int]
    outputs: Sequence[int]

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(frozen=True)
class Shape:
    """turns: how many a conversation has; None: 2 to 40, each order of magnitude as often. contexts: tokens that it
    begins with, prices: by whose it is billed, each as often."""

    turns: int | None
    contexts: tuple[int, ...]
    prices: tuple[str, ...]


def conversations(app: App, shape: Shape, turns: int, seed: int) -> list[Conversation]:
    """So many that they have about so many turns together."""
    chance = np.random.default_rng(seed)
    topics, rows = list(app.topics), range(len(app.logs))
    begun, had, drawn = 0.0, 0, []
    while had < turns:
        begun += chance.exponential(5.0)
        count = shape.turns or round(math.exp(chance.uniform(math.log(2), math.log(40))))
        pool = app.topics[str(chance.choice(topics))] if topics and chance.random() < ON_ONE_TOPIC else rows
        number = len(drawn)
        context = shape.contexts[number % len(shape.contexts)]
        prices = shape.prices[number // len(shape.contexts) % len(shape.prices)]
        drawn.append(_conversation(app, chance, f"c{number}", prices, begun, count, context, pool))
        had += count
    return drawn


def _conversation(
    app: App, chance: Any, name: str, prices: str, begun: float, count: int, size: int, pool: Sequence[int]
) -> Conversation:
    times, chosen, prompts, outputs = [], [], [], []
    for _ in range(count):
        row = pool[int(chance.integers(len(pool)))]
        output = int(min(2000, chance.lognormal(math.log(MEAN_ANSWER), 0.5)))
        prompt = size + app.lengths[row]
        times.append(begun), chosen.append(row), prompts.append(prompt), outputs.append(output)
        size = prompt + output
        mean = chance.choice([mean for _, mean in GAPS], p=[share for share, _ in GAPS])
        begun += chance.exponential(mean)
    return Conversation(name, prices, times, chosen, prompts, outputs)


class PromptCaches:
    """What the providers have of one conversation: of each tier's model the last prompt, and when it was asked."""

    def __init__(self, prices: Mapping[Tier, ModelPrice]) -> None:
        self._prices = prices
        self._last: dict[Tier, tuple[int, float]] = {}

    def ask(self, tier: Tier, now: float, prompt: int, output: int) -> tuple[float, int]:
        """What the turn costs, in USD, and how many tokens of it were cached. A conversation grows at its end, so the
        last prompt is a prefix of this one."""
        price = self._prices[tier]
        tokens, asked = self._last.get(tier, (0, -math.inf))
        cached = tokens if now - asked <= CACHE_LIFE_S and tokens >= price.least else 0
        self._last[tier] = (prompt, now)
        return price.cost(prompt, output, cached), cached


@dataclass(frozen=True)
class Served:
    """What a policy came to. share: of expensive turns; cached: of the prompts' tokens; switches: a conversation."""

    usd: float
    quality: float
    cached: float
    switches: float
    share: float


def bill(app: App, talks: Sequence[Conversation], tiers: Sequence[Sequence[Tier]]) -> Served:
    """What it costs and is worth to serve these conversations' turns on these tiers."""
    usd = quality = 0.0
    turns = prompts = read = switches = expensive = 0
    for talk, chosen in zip(talks, tiers, strict=True):
        caches = PromptCaches(PRICES[talk.prices])
        for at, tier in enumerate(chosen):
            cost, cached = caches.ask(tier, talk.times[at], talk.prompts[at], talk.outputs[at])
            usd, read, prompts = usd + cost, read + cached, prompts + talk.prompts[at]
            quality += (app.logs.expensive if tier == "expensive" else app.logs.cheap)[talk.rows[at]]
            expensive += tier == "expensive"
        turns += len(talk)
        switches += sum(one != other for one, other in pairwise(chosen))
    return Served(usd, quality / turns, read / prompts, switches / len(talks), expensive / turns)


def unsticky(app: App, talks: Sequence[Conversation], threshold: float) -> list[list[Tier]]:
    """Each turn by its own score."""
    return [[_tier(app, row, threshold) for row in talk.rows] for talk in talks]


def always_sticky(app: App, talks: Sequence[Conversation], threshold: float) -> list[list[Tier]]:
    """Each conversation by the score of its first turn."""
    return [[_tier(app, talk.rows[0], threshold)] * len(talk) for talk in talks]


def _tier(app: App, row: int, threshold: float) -> Tier:
    return "expensive" if app.scores[row].score >= threshold else "cheap"


def foreseen(talks: Sequence[Conversation], usd_per_gain: float, gains: Sequence[float]) -> list[list[Tier]]:
    """The best that could have been done by who knew beforehand all turns that follow, and of each row this gain."""
    return [_best(talk, usd_per_gain, gains) for talk in talks]


def _best(talk: Conversation, usd_per_gain: float, gains: Sequence[float]) -> list[Tier]:
    """Dynamic programming over the turns at which each model was last asked."""
    prices = PRICES[talk.prices]
    ways: dict[tuple[int, int], tuple[float, Any]] = {(-1, -1): (0.0, None)}
    for at, now in enumerate(talk.times):
        reached: dict[tuple[int, int], tuple[float, Any]] = {}
        for last, (value, path) in ways.items():
            alive = tuple(turn if turn >= 0 and now - talk.times[turn] <= CACHE_LIFE_S else -1 for turn in last)
            for place, tier in enumerate(("cheap", "expensive")):
                price = prices[tier]  # type: ignore[index]
                tokens = talk.prompts[alive[place]] if alive[place] >= 0 else 0
                cost = price.cost(talk.prompts[at], talk.outputs[at], tokens if tokens >= price.least else 0)
                whole = value + cost - (usd_per_gain * gains[talk.rows[at]] if place else 0.0)
                key = (alive[0], at) if place else (at, alive[1])
                if key not in reached or whole < reached[key][0]:
                    reached[key] = (whole, (path, tier))
        ways = reached
    _, path = min(ways.values(), key=lambda way: way[0])
    chosen: list[Tier] = []
    while path is not None:
        path, tier = path
        chosen.append(tier)
    return chosen[::-1]


class TableScorer:
    """The scores of an app's rows, made beforehand by its trained scorer; a query is the row's number."""

    is_default = False

    def __init__(self, app: App) -> None:
        self._app = app
        self.version = app.scorer.version

    def score(self, query: Query) -> Score:
        return self._app.scores[int(query.messages[0]["content"])]


class OurRule:
    """The package's own Router and Conversations, with the memory store's pins, on one provider's conversations."""

    def __init__(self, app: App, prices: str, target: float | ShareControl) -> None:
        named = {price.name: price for price in PRICES[prices].values()}
        models = {name: price.section for name, price in named.items()}
        tiers = {tier: {"models": [price.name]} for tier, price in PRICES[prices].items()}
        settings = Settings.from_mapping({"tiers": tiers, "models": models, "routing": {"threshold": 0.5}})
        catalog, table = Catalog(settings), price_table(settings, {})
        self._router = Router(catalog=catalog, scorer=TableScorer(app), target=target)
        self._conversations = Conversations(
            settings=settings,
            catalog=catalog,
            prices=lambda: table,
            limits=lambda name: replace(TokenLimits(), cache_least=named[name].least),
            providers=ModelProviders(settings),
            has_room=self._router.has_room,
            salt=b"benchmark",
            gain_at=app.scorer.gain_at,
        )
        self._pins = MemoryPins()

    def turn(self, talk: Conversation, at: int, ask: Callable[[Tier], int]) -> Tier:
        """The tier that serves it. ask: of a tier, answers how many tokens were cached."""
        now, prompt = talk.times[at], talk.prompts[at]
        # The text counts by its length alone; what is scored is the row.
        history = {"role": "assistant", "content": FILLER[: A_TOKEN * prompt - 1]}
        request = from_call([history, {"role": "user", "content": "?"}], stream=False, params={})
        context = RequestContext(request_id="", started=now, caller=Caller(user="ann"), session_id=talk.id)
        request, state = self._conversations.find(request, context)
        assert state is not None
        state.stored = self._pins.get(state.key, now)
        decision = self._router.decide(
            Query.from_text(str(talk.rows[at])),
            steer=lambda by_score: self._conversations.steer(state, request, by_score),
        )
        usage = Usage(prompt_tokens=prompt, cached_tokens=ask(decision.tier), completion_tokens=talk.outputs[at])
        pin = self._conversations.update(state, decision, decision.candidates[0], usage)
        assert pin is not None
        self._pins.put(pin, now)
        return decision.tier


def ours(app: App, talks: Sequence[Conversation], target: Callable[[], float | ShareControl]) -> list[list[Tier]]:
    """By the package's own rule, turn by turn in the order of time."""
    rules = {prices: OurRule(app, prices, target()) for prices in dict.fromkeys(talk.prices for talk in talks)}
    caches = [PromptCaches(PRICES[talk.prices]) for talk in talks]
    chosen: list[list[Tier]] = [[] for _ in talks]
    for _, number, at in sorted((talk.times[at], n, at) for n, talk in enumerate(talks) for at in range(len(talk))):
        talk = talks[number]

        def ask(tier: Tier, cache: PromptCaches = caches[number], talk: Conversation = talk, at: int = at) -> int:
            return cache.ask(tier, talk.times[at], talk.prompts[at], talk.outputs[at])[1]

        chosen[number].append(rules[talk.prices].turn(talk, at, ask))
    return chosen
