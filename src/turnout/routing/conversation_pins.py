"""Conversations on the request path: which one a request belongs to, where it stays, and what is kept of it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from turnout.context import RequestContext
from turnout.openai.prompt_floor import characters
from turnout.openai.requests import ChatRequest
from turnout.openai.session import has_answer, is_tool_turn, opening, take_session_id
from turnout.openai.usage import TokenLimits
from turnout.ports.admission import PinUpdate, StoredPin
from turnout.pricing import Price
from turnout.records import Decision, Tier, Usage
from turnout.routing.catalog import Catalog
from turnout.routing.outlook import MeanRequest, TurnCounts
from turnout.routing.stickiness import (
    Estimate,
    Exchange,
    Outlook,
    Pin,
    Side,
    TokenRates,
    TurnShape,
    going_down,
    going_up,
    mean_gain,
    mean_output,
)
from turnout.settings import Settings

# Characters of a token, about: OpenAI's rule of thumb for English text.
_A_TOKEN = 4
# How long a provider keeps an unused prompt cached, in seconds, as each documents it; the least of them for the rest.
CACHE_LIFE_S: Mapping[str, float] = {"anthropic": 300.0, "azure": 300.0, "deepseek": 3600.0, "openai": 300.0}
_DEFAULT_LIFE_S = 300.0
# Scores are in [0, 1]: a threshold from here on asks for none to be expensive.
_NO_SCORE_PASSES = 1.0
# Whose API takes `prompt_cache_key`.
_TAKES_KEY = ("openai", "azure")


@dataclass(slots=True, kw_only=True)
class ConversationState:
    """One request's conversation. key: names it in the stores, for its user alone. explicit: the caller named it.
    continued: a pin of an earlier turn may apply. tool_turn: a tool's result in a running loop.
    stored: as the gate's Entry brought it. Written by `admission`."""

    key: str
    user: str
    explicit: bool
    continued: bool
    tool_turn: bool
    stored: StoredPin | None = None


class Conversations:
    """Finds conversations, and keeps them where leaving does not pay. providers(model): whose it is. has_room(tier):
    whether the routing target leaves room for one more request of this tier beyond the score. gain_at(score): the gain
    that the scorer expects at a score; None where it knows none. salt: secret, the same in every process of the app."""

    def __init__(
        self,
        *,
        settings: Settings,
        catalog: Catalog,
        prices: Callable[[], Mapping[str, Price]],
        limits: Callable[[str], TokenLimits],
        providers: Callable[[str], str],
        has_room: Callable[[Tier], bool],
        salt: bytes,
        gain_at: Callable[[float], float] | None = None,
    ) -> None:
        self._settings = settings
        self._own = settings.routing.conversation
        self._catalog = catalog
        self._prices = prices
        self._limits = limits
        self._providers = providers
        self._has_room = has_room
        self._gain_at = gain_at
        self._spread = gain_at(0.9) - gain_at(0.1) if gain_at is not None else 1.0
        self._salt = salt
        self._rates: dict[str, TokenRates] = {}
        self._mean = MeanRequest()
        self._turns = TurnCounts()

    def find(self, request: ChatRequest, context: RequestContext) -> tuple[ChatRequest, ConversationState | None]:
        """The request without what names its conversation, and the conversation; None where it has none."""
        given, request = take_session_id(request, context.session_id, self._own.fields)
        caller = context.caller
        if not given and caller.anonymous:
            return request, None
        named = ("id ", given) if given else opening(request.messages)
        digest = hashlib.blake2b(caller.user_key.encode(), digest_size=16, key=self._salt)
        for text in named:
            digest.update(text.encode("utf-8", "surrogatepass"))
        state = ConversationState(
            key=digest.hexdigest(),
            user=caller.user_key,
            explicit=bool(given),
            # An opening alone may be another conversation that begins with the same words.
            continued=bool(given) or has_answer(request.messages),
            tool_turn=is_tool_turn(request.messages),
        )
        return request, state

    def pin_key(self, state: ConversationState | None) -> str:
        """The key by which the gate is to look for a pin; "" where none may apply."""
        return state.key if state is not None and state.continued and self._own.sticky else ""

    def steer(
        self, state: ConversationState | None, request: ChatRequest, decision: Decision, *, paced: bool = False
    ) -> Decision:
        """The decision by score alone, or the one that keeps the conversation where it is. paced: spend runs ahead of
        its budget, so nothing goes up that the score alone would not."""
        if state is None or state.stored is None or decision.score is None:
            return decision
        pin = Pin.unpack(state.stored.packed, state.stored.age_s)
        if pin is None or pin.model not in self._settings.tier_models(pin.tier):
            return decision
        declined = decision.reason == "pacing" or ("threshold" in request.extension and decision.tier == "cheap")
        if declined and pin.tier == "expensive":
            return decision
        if decision.tier == pin.tier:
            moved = None if declined or paced or state.tool_turn else self._moved_up(pin, request, decision)
            return moved or self._same_tier(pin, decision)
        estimate, leaves = self._weigh(pin, request, decision, tool_turn=state.tool_turn)
        if estimate is not None:
            decision = _with(estimate, decision)
        if leaves:
            return replace(decision, reason="sticky_left")
        return replace(decision, tier=pin.tier, reason="sticky", candidates=_first(pin, self._catalog.route(pin.tier)))

    def _moved_up(self, pin: Pin, request: ChatRequest, decision: Decision) -> Decision | None:
        """A score's threshold is that of a mean request; where this conversation costs less, or lasts, it may pay to go
        up below it. None where it does not, where there is no cache to weigh, where a score is no gain, and where no
        score is enough. Nor is a stand-in that is dearer than the expensive tier a reason to go there."""
        if decision.threshold is None or decision.threshold >= _NO_SCORE_PASSES:
            return None
        if self._gain_at is None or pin.tier == "expensive" or not self._cacheable(pin):
            return None
        if not self._has_room("expensive"):
            return None
        candidates = self._catalog.route("expensive")
        # What does not pay for the last turn's prompt does not for a longer one, and counting that takes time.
        for asked in (None, request):
            estimate = self._estimate(pin, asked, decision, candidates[0])
            if estimate is None or not 0 < estimate.cost < estimate.worth:
                return None
        assert estimate is not None
        return replace(_with(estimate, decision), tier="expensive", reason="sticky_left", candidates=candidates)

    def cold_price_factor(self, state: ConversationState | None, request: ChatRequest, model: str) -> float:
        """What this request costs at the model in times of what it would cost with its conversation cached there; 1
        where it belongs to none, or where that is not known."""
        pin = None if state is None or state.stored is None else Pin.unpack(state.stored.packed, state.stored.age_s)
        side = None if pin is None else self._side(pin, model)
        if pin is None or side is None or not self._cached(pin, pin.model):
            return 1.0
        shape = self._shape(pin, request)
        warm = side.rates.turn(shape, shape.kept)
        return max(1.0, side.rates.turn(shape, side.warm) / warm) if warm > 0 else 1.0

    def _same_tier(self, pin: Pin, decision: Decision) -> Decision:
        """Within its tier a conversation stays with the model that answered last for as long as that is warm."""
        if pin.model == decision.candidates[0] or not self._cached(pin, pin.model):
            return decision
        return replace(decision, reason="sticky", candidates=_first(pin, decision.candidates))

    def _weigh(
        self, pin: Pin, request: ChatRequest, decision: Decision, *, tool_turn: bool
    ) -> tuple[Estimate | None, bool]:
        """What leaving was estimated to cost and to be worth, None where prices are unknown; and whether it leaves."""
        estimate = self._estimate(pin, request, decision, decision.candidates[0])
        if not self._has_room(pin.tier):
            return estimate, True
        if tool_turn:
            return estimate, False
        if not self._cacheable(pin) or (pin.tier == "expensive" and not self._cached(pin, pin.model)):
            return estimate, True
        if estimate is None:
            # Nobody can say what it would pay: a warm cache is kept.
            return None, not self._cached(pin, pin.model)
        return estimate, estimate.worth > estimate.cost

    def _estimate(self, pin: Pin, request: ChatRequest | None, decision: Decision, other: str) -> Estimate | None:
        """What leaving for this model of the other tier is estimated to cost and to be worth; None where prices are
        unknown."""
        cheap_model, expensive_model = (pin.model, other) if pin.tier == "cheap" else (other, pin.model)
        cheap, expensive = self._side(pin, cheap_model), self._side(pin, expensive_model)
        if cheap is None or expensive is None:
            return None
        shape = self._shape(pin, request)
        outlook = self._outlook(pin, decision, self._mean.difference(cheap.rates, expensive.rates, shape))
        return (going_up if pin.tier == "cheap" else going_down)(cheap, expensive, shape, outlook)

    def _outlook(self, pin: Pin, decision: Decision, difference: float) -> Outlook:
        gain, threshold = self._gain(decision), decision.threshold
        assert gain is not None
        assert threshold is not None
        if self._gain_at is None:
            exchange, prior = Exchange.of_scores(threshold, difference), 0.5
        else:
            exchange = Exchange.of_gains(self._gain_at(min(1.0, threshold)), self._spread, difference)
            prior = self._mean.gain if self._mean.gain is not None else gain
        return Outlook(
            now=exchange.worth(gain),
            later=exchange.worth(mean_gain(pin, gain, prior)),
            turns=self._turns.left(pin.turns),
            warmth=self._turns.warmth,
        )

    def _gain(self, decision: Decision) -> float | None:
        """What the request was expected to gain; where the scorer knows no gain, its score stands for it."""
        return decision.score if self._gain_at is None else decision.expected_gain

    def update(self, state: ConversationState | None, decision: Decision, model: str, usage: Usage) -> PinUpdate | None:
        """What to keep of a turn that this model answered; None where it has no conversation or none is kept."""
        gain = self._gain(decision)
        self._mean.add(usage.prompt_tokens, usage.cached_tokens, usage.completion_tokens, gain)
        if state is None or not self._own.sticky or gain is None:
            return None
        stored = state.stored
        before = Pin.unpack(stored.packed, stored.age_s) if stored is not None else None
        turns, mean, warm = (before.turns, before.gain, dict(before.warm)) if before is not None else (0, 0.0, {})
        had = before.output if before is not None else 0
        self._turns.add(turns, warm=None if before is None else self._fresh(before, before.model))
        warm[model] = (usage.prompt_tokens, 0.0)
        pin = Pin(
            tier=self._settings.tier_of(model),
            model=model,
            turns=turns + 1,
            # A tool's result says nothing of how hard the conversation is.
            gain=mean if state.tool_turn and turns else (mean * turns + gain) / (turns + 1),
            output=round((had * turns + usage.completion_tokens) / (turns + 1)),
            # Of each tier one.
            warm=dict(sorted(warm.items(), key=lambda item: item[1][1])[:2]),
        )
        return PinUpdate(key=state.key, packed=pin.pack(), ttl_s=self._own.ttl_s, user=state.user)

    def cache_keys(self, state: ConversationState | None, models: tuple[str, ...]) -> dict[str, dict[str, Any]]:
        """The body field `prompt_cache_key` for each of these models whose provider takes it. Without an id of the
        caller's, a server of the app's own is sent it only with `prompt_cache = true`: it may refuse what it does not
        know."""
        if state is None:
            return {}
        # In the body, not as an argument: litellm maps it nowhere, and the direct transport takes it so.
        own = {"extra_body": {"prompt_cache_key": state.key}}
        return {name: own for name in models if self._takes_key(name, state)}

    def _takes_key(self, name: str, state: ConversationState) -> bool:
        model = self._settings.model(name)
        own_server = "api_base" in model.params or "base_url" in model.params
        takes = self._providers(name) in _TAKES_KEY
        return takes and (state.explicit or model.prompt_cache or not own_server)

    def _shape(self, pin: Pin, request: ChatRequest | None) -> TurnShape:
        """request: None for one that is no longer than the last."""
        kept, _ = pin.warm.get(pin.model, (0, 0.0))
        prompt = kept if request is None else max(kept, characters(request.messages) // _A_TOKEN)
        prior = self._mean.output
        output = mean_output(pin, pin.output if prior is None else prior)
        return TurnShape(prompt=prompt, fresh=prompt - kept, output=output)

    def _side(self, pin: Pin, model: str) -> Side | None:
        """The model as a side to weigh; None where its prices are unknown."""
        rates = self._rates_of(model)
        return None if rates is None else Side(rates=rates, warm=self._cached(pin, model))

    def _cached(self, pin: Pin, model: str) -> int:
        return pin.cached(model, self._life_s(model), self._limits(model).cache_least)

    def _cacheable(self, pin: Pin) -> bool:
        """Whether its last prompt was long enough for its provider to cache it."""
        tokens, _ = pin.warm.get(pin.model, (0, 0.0))
        return tokens >= self._limits(pin.model).cache_least

    def _fresh(self, pin: Pin, model: str) -> bool:
        """Whether it was asked within its cache's life."""
        return pin.cached(model, self._life_s(model), 0) > 0

    def _life_s(self, model: str) -> float:
        life_s = self._settings.model(model).prompt_cache_ttl_s
        if life_s is None:
            life_s = CACHE_LIFE_S.get(self._providers(model), _DEFAULT_LIFE_S)
        return life_s

    def _rates_of(self, model: str) -> TokenRates | None:
        if model not in self._rates:
            price = self._prices().get(model)
            if price is None:
                return None
            self._rates[model] = TokenRates.of(price)
        return self._rates[model]


def _first(pin: Pin, candidates: tuple[str, ...]) -> tuple[str, ...]:
    return (pin.model, *(model for model in candidates if model != pin.model))


def _with(estimate: Estimate, decision: Decision) -> Decision:
    return replace(decision, switch_usd=estimate.cost, switch_gain_usd=estimate.worth)
