"""Whether a request fits its candidates: their windows and their abilities, held against it before any is called."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import replace

from turnout.errors import ContextLengthExceeded, InvalidRequest
from turnout.openai.messages import IMAGE_PARTS
from turnout.openai.prompt_floor import characters, prompt_floor
from turnout.openai.requests import ChatRequest
from turnout.openai.response_items import missing_place
from turnout.openai.usage import TokenLimits
from turnout.quota.token_bounds import output_caps
from turnout.records import Decision, Tier
from turnout.settings import Settings


class Fitting:
    """Leaves out candidates that cannot hold a request, and finds those that can. limits: by configured model name.
    over_responses: the models that are asked over a Responses endpoint."""

    def __init__(
        self, settings: Settings, limits: Callable[[str], TokenLimits], over_responses: Container[str] = ()
    ) -> None:
        self._settings = settings
        self._over_responses = over_responses
        self._limits = limits
        self._roomier: dict[Tier, tuple[str, ...]] = {}

    def fit(self, request: ChatRequest, decision: Decision, *, routed: bool) -> Decision:
        """The decision with the candidates that can take the request. routed: where none of its tier can, it may move
        to the other tier. Raises ContextLengthExceeded where no model that may answer can hold it, InvalidRequest where
        none has the endpoint that it needs."""
        if request.beside_chat is not None:
            decision = self._fit_endpoint(request, decision, routed)
        decision = self._fit_window(request, decision, routed)
        needed = _needed(request)
        return self._fit_abilities(needed, decision, routed) if needed else decision

    def holding(self, request: ChatRequest, models: Sequence[str]) -> tuple[str, ...]:
        """Those of these models that can hold the request, in their order."""
        count = characters(request.messages)
        # By no count has a text more tokens than characters.
        if all(self._holds(model, request, count) for model in models):
            return tuple(models)
        floor = prompt_floor(request.messages)
        return tuple(model for model in models if self._holds(model, request, floor))

    def roomier(self, tier: Tier) -> tuple[str, ...]:
        """The other tier's models whose window is known to be larger than any of this tier's: they are asked where a
        model of this tier says that the request is too long for it."""
        if tier not in self._roomier:
            windows = [self._limits(model).input for model in self._settings.tier_models(tier)]
            largest = max((window for window in windows if window is not None), default=None)
            self._roomier[tier] = tuple(
                model
                for model in self._settings.tier_models(_other(tier))
                if largest is not None and None not in windows and (self._limits(model).input or 0) > largest
            )
        return self._roomier[tier]

    def _fit_window(self, request: ChatRequest, decision: Decision, routed: bool) -> Decision:
        candidates = self.holding(request, decision.candidates)
        if candidates == decision.candidates:
            return decision
        own = self._settings.tier_models(decision.tier)
        if candidates and candidates[0] in own:
            return replace(decision, candidates=candidates)
        other = _other(decision.tier)
        moved = self.holding(request, self._settings.tier_models(other)) if routed else ()
        if moved:
            return replace(decision, tier=other, reason="context", candidates=moved)
        if candidates:
            return replace(decision, candidates=candidates)
        models = self._settings.model_names if routed else decision.candidates
        window = max(self._limits(model).input or 0 for model in models)
        raise ContextLengthExceeded(
            f"this request is longer than the context window, which is {window} tokens", param="messages"
        )

    def _holds(self, model: str, request: ChatRequest, tokens: int) -> bool:
        limits = self._limits(model)
        if limits.input is None:
            return True
        asked = output_caps({**self._settings.model(model).params, **request.params}) if limits.shared else {}
        output = min(max(asked.values(), default=0), limits.output or 0)
        return limits.hold(tokens, output)

    def _fit_endpoint(self, request: ChatRequest, decision: Decision, routed: bool) -> Decision:
        """Only models with a Responses endpoint where the request asks for what no chat completion has."""
        param = missing_place(request.messages, request.params, request.beside_chat or {})
        if param is None:
            return decision
        candidates = tuple(model for model in decision.candidates if model in self._over_responses)
        if candidates and (not routed or candidates[0] in self._settings.tier_models(decision.tier)):
            return replace(decision, candidates=candidates)
        other = _other(decision.tier)
        moved = tuple(model for model in self._settings.tier_models(other) if model in self._over_responses)
        if routed and moved:
            return replace(decision, tier=other, reason="ability", candidates=moved)
        raise InvalidRequest(
            f"no model that may answer has a Responses endpoint, which this {param} needs", param=param
        )

    def _fit_abilities(self, needed: frozenset[str], decision: Decision, routed: bool) -> Decision:
        """Candidates of which nobody knows that they have what is needed give way to those that are known to; where
        none is, all are asked, and the provider says it."""
        candidates = self._able(needed, decision.candidates)
        if candidates == decision.candidates:
            return decision
        if candidates and candidates[0] in self._settings.tier_models(decision.tier):
            return replace(decision, candidates=candidates)
        other = _other(decision.tier)
        moved = self._able(needed, self._settings.tier_models(other)) if routed else ()
        return replace(decision, tier=other, reason="ability", candidates=moved) if moved else decision

    def _able(self, needed: frozenset[str], models: Iterable[str]) -> tuple[str, ...]:
        able = []
        for model in models:
            abilities = self._limits(model).abilities
            if abilities is None or needed <= abilities:
                able.append(model)
        return tuple(able)


def _other(tier: Tier) -> Tier:
    return "cheap" if tier == "expensive" else "expensive"


def _needed(request: ChatRequest) -> frozenset[str]:
    params = request.params
    needed = set()
    if request.tools:
        needed.add("tools")
    if params.get("response_format", {}).get("type") == "json_schema":
        needed.add("json_schema")
    if params.get("reasoning_effort", "none") != "none" and "reasoning_effort" not in request.optional:
        needed.add("reasoning")
    if any(_has_image(message.get("content")) for message in request.messages):
        needed.add("images")
    return frozenset(needed)


def _has_image(content: object) -> bool:
    return isinstance(content, list | tuple) and any(part.get("type") in IMAGE_PARTS for part in content)
