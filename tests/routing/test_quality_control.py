"""A wish for quality over all requests, those that stay with their conversation's model included."""

from __future__ import annotations

import random

import pytest

from turnout.ports.scoring import Query, Score
from turnout.records import Decision
from turnout.routing.catalog import Catalog
from turnout.routing.quality_control import MOST_DEBT, MOST_SHIFT, QualityControl
from turnout.routing.router import Router
from turnout.settings import Settings


class Ramp:
    """Scores the number in the text; gains in proportion."""

    version, is_default = "ramp", False

    def score(self, query: Query) -> Score:
        value = float(str(query.messages[0]["content"]))
        return Score(score=value, expected_gain=value / 2)


def test_without_conversations_the_threshold_stays() -> None:
    """Each request by its score: nothing is owed."""
    control = QualityControl(0.6, 0.3)
    for score in (0.1, 0.6, 0.9):
        control.observe(score, score / 2, expensive=score >= 0.6)
    assert control.threshold == 0.6
    assert control.has_room


def test_what_is_given_up_lowers_the_threshold_and_what_is_credited_raises_it() -> None:
    """Within bounds; beyond six turns no conversation stays cheap against its score."""
    owing, credited = QualityControl(0.6, 0.3), QualityControl(0.6, 0.3)
    for _ in range(int(MOST_DEBT) + 1):
        owing.observe(0.7, 0.35, expensive=False)
        credited.observe(0.2, 0.1, expensive=True)
    assert owing.threshold < 0.6 < credited.threshold
    assert (owing.has_room, credited.has_room) == (False, True)
    for _ in range(1_000):
        owing.observe(0.7, 0.35, expensive=False)
    assert owing.threshold == pytest.approx(0.6 - MOST_SHIFT)


def test_others_make_up_for_those_that_stay() -> None:
    """A third of the requests stay on the cheap tier whatever their score, as far as there is room: the gain served is
    that of the wish."""
    tiers = {"cheap": {"models": ["openai/s"]}, "expensive": {"models": ["openai/l"]}}
    quality = QualityControl(0.6, 0.3)
    router = Router(
        catalog=Catalog(Settings.from_mapping({"tiers": tiers})), scorer=Ramp(), target=0.6, quality=quality
    )

    def stay(decision: Decision) -> Decision:
        if not router.has_room("cheap"):
            return decision
        return Decision(tier="cheap", reason="sticky", candidates=("openai/s",), score=decision.score)

    chance = random.Random(0)
    wished = served = 0.0
    for number in range(3_000):
        score = chance.random()
        query = Query.from_text(str(score))
        decision = router.decide(query, steer=stay) if number % 3 == 0 else router.decide(query)
        wished += score / 2 * (score >= 0.6)
        served += score / 2 * (decision.tier == "expensive")
    assert served == pytest.approx(wished, rel=0.02)
