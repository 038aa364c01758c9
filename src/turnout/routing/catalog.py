"""Which models a caller's `model` stands for, and whose turn it is of those that share a load."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from turnout.context import RequestContext
from turnout.errors import InvalidRequest, ModelNotFound
from turnout.openai.requests import ChatRequest
from turnout.records import Tier
from turnout.routing.load_sharing import LoadSharing
from turnout.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSelection:
    """What was asked for. `name` is `auto`, a tier or a configured model; `tier` is None for `auto`.

    A forced tier or model is never left: `candidates` are all that may serve; () for `auto`. ignored: a tier or a model
    was named by one who may not choose it (`[routing] forced`), and it is routed as `auto`.
    """

    name: str
    tier: Tier | None = None
    candidates: tuple[str, ...] = ()
    ignored: bool = False


class Catalog:
    """The names that callers may use, and the candidates that each tier means."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._targets = dict(_targets(settings))
        weights = {name: settings.model(name).weight for name in settings.model_names}
        self._sharing = LoadSharing({name: weight for name, weight in weights.items() if weight is not None})
        self.names: tuple[str, ...] = (
            *("auto", "cheap", "expensive"),
            *settings.model_names,
            *settings.embedding_models,
            *settings.routing.aliases,
        )

    def models_of(self, name: str) -> tuple[str, ...]:
        """The configured models that may serve this one of `names`."""
        selection = self._targets.get(name)
        if selection is None:
            return (self._settings.routing.aliases.get(name, name),)
        return selection.candidates or self._settings.model_names

    def find(self, model: str, *, may_choose: bool = True) -> ModelSelection:
        """What this name stands for. may_choose: whether the app's own code asks, which may always force a tier; what
        a caller from outside may is for `[routing] forced` to say. Raises ModelNotFound, which names the nearest
        known one."""
        selection = self._targets.get(model)
        if selection is None:
            if self._settings.routing.aliases.get(model, model) in self._settings.embedding_models:
                raise ModelNotFound(f"the model {model[:80]!r} stands in no tier: it answers embeddings", param="model")
            near = _nearest(model, self._targets)
            hint = f"did you mean {near!r}?" if near else f"known are {', '.join(self.names)}"
            raise ModelNotFound(f"the model {model[:80]!r} does not exist here; {hint}", param="model")
        if not (may_choose or self._allows(selection)):
            return ModelSelection(name="auto", ignored=True)
        if len(selection.candidates) > 1:
            return replace(selection, candidates=self._sharing.order(selection.candidates))
        return selection

    def select(self, request: ChatRequest, context: RequestContext) -> ModelSelection:
        """What the request's `model` and `turnout.tier` stand for together. Raises ModelNotFound, and InvalidRequest
        where they contradict each other."""
        selection = self.find(request.model, may_choose=context.may_choose)
        tier = request.extension.get("tier")
        if tier is None or tier == selection.tier:
            return selection
        if selection.tier is not None:
            raise InvalidRequest(
                f"turnout.tier is {tier}, and the model asked for is {selection.name}", param="turnout.tier"
            )
        return self.find(tier, may_choose=context.may_choose)

    def _allows(self, selection: ModelSelection) -> bool:
        forced = self._settings.routing.forced
        return forced == "all" or selection.tier is None or (forced == "cheap" and selection.tier == "cheap")

    def route(self, tier: Tier) -> tuple[str, ...]:
        """The candidates of a routed request: the tier's models, then the other tier's where allowed."""
        allowed = self._settings.fallback.other_tier
        models = self._sharing.order(self._settings.tier_models(tier))
        if allowed == "any" or (allowed == "cheap" and tier == "expensive"):
            return models + self._settings.tier_models("cheap" if tier == "expensive" else "expensive")
        return models


class EmbeddingModels:
    """Which model a caller's `model` stands for where vectors are asked for: a configured name, its part after the "/"
    where that is unique, or an alias. `auto` stands for the only model that has a section and no tier."""

    def __init__(self, settings: Settings) -> None:
        names = (*settings.model_names, *settings.embedding_models)
        short = Counter(map(_short, names))
        self._names = {_short(name): name for name in names if short[_short(name)] == 1} | {n: n for n in names}
        self._names |= {alias: name for alias, name in settings.routing.aliases.items() if name in names}
        self._others = settings.embedding_models
        if len(self._others) == 1:
            self._names["auto"] = self._others[0]

    def find(self, model: str) -> str:
        """The configured name. Raises ModelNotFound, which names the nearest known one."""
        found = self._names.get(model)
        if found is not None:
            return found
        near = _nearest(model, self._names)
        known = ", ".join(self._others) or "none: an embedding model has a section [models.NAME] and stands in no tier"
        hint = f"did you mean {near!r}?" if near else f"embedding models here are {known}"
        raise ModelNotFound(f"the model {model[:80]!r} answers no embeddings here; {hint}", param="model")


# No model's name is as long, and looking for one like it takes time for each character.
_LONGEST_NAME = 200


def _nearest(model: str, known: Iterable[str]) -> str:
    """The known name most like this one; "" where none is."""
    near = difflib.get_close_matches(model, known, n=1) if len(model) <= _LONGEST_NAME else []
    return near[0] if near else ""


def _targets(settings: Settings) -> Mapping[str, ModelSelection]:
    targets = {
        "auto": ModelSelection(name="auto"),
        "cheap": ModelSelection(name="cheap", tier="cheap", candidates=settings.tiers.cheap.models),
        "expensive": ModelSelection(name="expensive", tier="expensive", candidates=settings.tiers.expensive.models),
    }
    short = Counter(_short(name) for name in settings.model_names)
    for name in settings.model_names:
        selection = ModelSelection(name=name, tier=settings.tier_of(name), candidates=(name,))
        targets[name] = selection
        if short[_short(name)] == 1:
            targets.setdefault(_short(name), selection)
    for name, selection in _shared(settings).items():
        targets.setdefault(name, selection)
    # An alias is the app's own word, so it wins over a shortened name.
    aliases = settings.routing.aliases.items()
    return targets | {alias: targets[name] for alias, name in aliases if name in targets}


def _shared(settings: Settings) -> Mapping[str, ModelSelection]:
    """What the entries that share a load are of, by its name: any of them, where they stand in one tier."""
    found: dict[str, ModelSelection] = {}
    in_both = set[str]()
    for tier in ("cheap", "expensive"):
        for name in settings.tier_models(tier):
            deployment = settings.deployment(name)
            if settings.model(name).weight is None or deployment == name:
                continue
            before = found.get(deployment)
            if before is not None and before.tier != tier:
                # It names no tier.
                in_both.add(deployment)
                continue
            candidates = (*(before.candidates if before is not None else ()), name)
            found[deployment] = ModelSelection(name=deployment, tier=tier, candidates=candidates)
    return {name: selection for name, selection in found.items() if name not in in_both}


def _short(name: str) -> str:
    return name.split("/", 1)[-1]
