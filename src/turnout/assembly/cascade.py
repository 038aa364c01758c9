"""Builds the cascade of settings that switch it on, and refuses what could not be served as it was trained."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from turnout.errors import SettingsError
from turnout.pipeline.cascade import CascadeCalls
from turnout.ports.runtime import Clock
from turnout.ports.scoring import Scorer
from turnout.pricing import Price
from turnout.quota.fitting import Fitting
from turnout.routing.cascade_policy import CascadePolicy, SecondOpinion
from turnout.routing.catalog import Catalog
from turnout.routing.conversation_pins import Conversations
from turnout.routing.factory import DEFAULT_SHARE
from turnout.routing.router import Router
from turnout.routing.share_control import ShareControl
from turnout.settings import Settings
from turnout.upstream.chain import Chain

if TYPE_CHECKING:
    from turnout.routing.verifier import Verifier

log = logging.getLogger("turnout")

# How many times the price ratio may differ from the one that the verifier was trained for, before that is told.
MOST_OFF = 2.0


def build_cascade(
    settings: Settings,
    scorer: Scorer,
    *,
    clock: Clock,
    chain: Chain,
    fitting: Fitting,
    conversations: Conversations,
    catalog: Catalog,
    router: Router,
    prices: Mapping[str, Price],
    chance: Callable[[], float],
) -> CascadeCalls | None:
    """None where the verifier was refused at its training: requests are decided by their question then, and a warning
    says so. Raises SettingsError."""
    cascade = settings.routing.cascade
    assert cascade.mode != "off"
    verifier: Verifier | None = getattr(scorer, "verifier", None)
    if verifier is None:
        raise SettingsError(
            f'routing.cascade.mode = "{cascade.mode}": the scorer {settings.routing.scorer!r} has no verifier; '
            "train one with `turnout train --cascade LOGS -o FILE` and name it as [routing] scorer"
        )
    _check_model(settings, verifier)
    if verifier.refused and cascade.mode == "on":
        log.warning("routing.cascade is refused, and requests are routed by their question: %s", verifier.refused)
        return None
    _warn_of_prices(settings, verifier, prices)
    opinion: SecondOpinion | None = None
    if cascade.second_sample == "auto":
        opinion = getattr(scorer, "second_opinion", None)
        if opinion is None:
            raise SettingsError(
                f'routing.cascade.second_sample = "auto": the scorer {settings.routing.scorer!r} was not trained on '
                "second cheap answers that told something; train it on logs with a column second_answer "
                '(`turnout train --cascade`), or leave it "off"'
            )
    policy = CascadePolicy(
        verifier,
        target=_target(settings, verifier),
        mode=cascade.mode,
        max_held_share=cascade.max_held_share,
        second_opinion=opinion,
        chance=chance,
    )
    return CascadeCalls(
        policy,
        settings=settings,
        clock=clock,
        chain=chain,
        fitting=fitting,
        conversations=conversations,
        catalog=catalog,
        router=router,
    )


def _warn_of_prices(settings: Settings, verifier: Verifier, prices: Mapping[str, Price]) -> None:
    """Where the tiers' prices are far from those that the cascade was found to pay at."""
    cheap, expensive = (prices.get(settings.tier_models(tier)[0]) for tier in ("cheap", "expensive"))
    if cheap is None or expensive is None or not _of_a_call(cheap):
        return
    ratio = _of_a_call(expensive) / _of_a_call(cheap)
    if not 1 / MOST_OFF <= ratio / verifier.price_ratio <= MOST_OFF:
        log.warning(
            "routing.cascade was trained for expensive calls at %.1f times a cheap one's price, and they cost about "
            "%.1f times as much: train it again with --price-ratio %.1f to see whether it pays",
            *(verifier.price_ratio, ratio, ratio),
        )


def _of_a_call(price: Price) -> float:
    """Of three prompt tokens and one of the answer, in USD per million."""
    return float(3 * price.input + price.output)


def _check_model(settings: Settings, verifier: Verifier) -> None:
    first = settings.tier_models("cheap")[0]
    if not verifier.cheap_model:
        log.warning("the verifier does not say whose answers it was trained on; it is taken to know those of %s", first)
    elif verifier.cheap_model not in (first, settings.deployment(first)):
        raise SettingsError(
            f"routing.cascade: the verifier was trained on answers of {verifier.cheap_model!r}, and tiers.cheap begins "
            f"with {first!r}: a verifier knows the faults of one model; train it on that one's answers"
        )


def _target(settings: Settings, verifier: Verifier) -> float | ShareControl:
    """The threshold of the verifier's score, or what keeps the share."""
    routing = settings.routing
    if routing.threshold is not None:
        return routing.threshold
    if routing.keep_quality is not None:
        return verifier.threshold_for_quality(routing.keep_quality)
    return ShareControl(DEFAULT_SHARE if routing.max_expensive_share is None else routing.max_expensive_share)
