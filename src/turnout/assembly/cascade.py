"""Builds the cascade of settings that switch it on, and refuses what could not be served as it was trained."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from turnout.errors import SettingsError
from turnout.pipeline.cascade import CascadeCalls
from turnout.ports.runtime import Clock
from turnout.ports.scoring import Scorer
from turnout.quota.fitting import Fitting
from turnout.routing.cascade_policy import CascadePolicy, SecondOpinion
from turnout.routing.conversation_pins import Conversations
from turnout.routing.factory import DEFAULT_SHARE
from turnout.routing.share_control import ShareControl
from turnout.settings import Settings
from turnout.upstream.chain import Chain

if TYPE_CHECKING:
    from turnout.routing.verifier import Verifier

log = logging.getLogger("turnout")


def build_cascade(
    settings: Settings,
    scorer: Scorer,
    *,
    clock: Clock,
    chain: Chain,
    fitting: Fitting,
    conversations: Conversations,
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
        policy, settings=settings, clock=clock, chain=chain, fitting=fitting, conversations=conversations
    )


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
