"""What the settings choose to decide with: each wish, and what no wish means."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from turnout import Turnout
from turnout.errors import SettingsError
from turnout.ports.scoring import Query
from turnout.routing.catalog import Catalog
from turnout.routing.factory import routing_target, scorer_from, share_sync_from, training_rows_of
from turnout.routing.router import Router
from turnout.routing.share_control import ShareControl
from turnout.settings import Settings
from turnout.stores.memory.share_store import MemoryShareStore
from turnout.testing import FixedScorer, ManualClock, ScriptedProvider

TIERS: dict[str, Any] = {"cheap": {"models": ["openai/small"]}, "expensive": {"models": ["openai/large"]}}


class Trained(FixedScorer):
    """A scorer that promises quality, as those of a file do."""

    def threshold_for_quality(self, quality: float) -> float:
        return 1.0 - quality


def settings(**routing: Any) -> Settings:
    return Settings.from_mapping({"tiers": TIERS, **({"routing": routing} if routing else {})})


def target(told_by: FixedScorer, **routing: Any) -> float | ShareControl:
    return routing_target(settings(**routing), told_by)


def shared(value: float | ShareControl) -> float:
    """The share that is kept."""
    assert isinstance(value, ShareControl)
    return value.share


def test_each_wish_is_what_decides() -> None:
    """A threshold as it stands, a share as it stands, a quality as the scorer promises it."""
    assert target(Trained(), scorer="s", threshold=0.0) == 0.0
    assert target(Trained(), scorer="s", threshold=0.7) == 0.7
    assert shared(target(Trained(), scorer="s", max_expensive_share=0.0)) == 0.0
    assert shared(target(Trained(), scorer="s", max_expensive_share=0.2)) == 0.2
    assert target(Trained(), scorer="s", keep_quality=0.9) == pytest.approx(0.1)


def test_the_default_scorer_serves_a_wish_for_quality_as_half_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    """Once, and what to do; nothing is said where the scorer can promise."""
    with caplog.at_level(logging.WARNING, "turnout"):
        assert shared(target(FixedScorer(is_default=True), keep_quality=0.95)) == 0.5
    (actual,) = [record.getMessage() for record in caplog.records]
    assert "0.5 expensive" in actual
    assert "turnout train LOGS" in actual
    caplog.clear()
    target(Trained(), scorer="s", keep_quality=0.95)
    assert not caplog.records


def test_without_routing_the_default_scorer_sends_three_in_ten(caplog: pytest.LogCaptureFixture) -> None:
    """With one warning; the decisions say whose they are."""
    with caplog.at_level(logging.WARNING, "turnout"):
        Turnout({"tiers": TIERS}, provider=ScriptedProvider(), clock=ManualClock())
    (warning,) = [record.getMessage() for record in caplog.records]
    assert "the hardest-looking 0.3 to the expensive tier" in warning
    scorer = scorer_from(settings())
    router = Router(catalog=Catalog(settings()), scorer=scorer, target=routing_target(settings(), scorer))
    actual = [router.decide(Query.from_text(f"What is {n} times {n}?")) for n in range(1_000)]
    assert sum(each.tier == "expensive" for each in actual) / 1_000 == pytest.approx(0.3, abs=0.015)
    assert {each.reason for each in actual} == {"default_scorer"}


def test_a_scorer_that_cannot_be_loaded_names_its_setting() -> None:
    """And the file."""
    with pytest.raises(SettingsError, match=r'routing\.scorer = "/none": /none: no such file'):
        scorer_from(settings(scorer="/none", threshold=0.5))


def test_a_share_is_kept_together_by_those_who_score_and_want_the_same() -> None:
    """Named by both; a fixed threshold, or an app alone, keeps nothing together."""
    share_store, clock = MemoryShareStore(), ManualClock()
    names = []
    for version, share in (("a", 0.3), ("a", 0.3), ("b", 0.3), ("a", 0.4)):
        share_sync = share_sync_from(ShareControl(share), FixedScorer(version=version), share_store, clock)
        assert share_sync is not None
        assert share_sync.control.share == share
        names.append(share_sync.name)
    assert names[0] == names[1]
    assert len(set(names)) == 3
    assert share_sync_from(0.7, FixedScorer(), share_store, clock) is None
    assert share_sync_from(ShareControl(0.3), FixedScorer(), None, clock) is None


def test_how_many_rows_a_scorer_was_trained_on_is_asked_of_its_summary() -> None:
    """0 where it does not say, or says nonsense."""
    scorer: Any = FixedScorer()
    assert training_rows_of(scorer) == 0
    for summary, rows in (({"rows_used": 300}, 300), ({}, 0), ({"rows_used": "many"}, 0), ({"rows_used": -1}, 0)):
        scorer.summary = summary
        assert training_rows_of(scorer) == rows
