"""From a score to a decision: whose score decides, why, and that the share is kept."""

from __future__ import annotations

import random

import pytest

from turnout.ports.scoring import Query, Score
from turnout.records import Decision
from turnout.routing.catalog import Catalog
from turnout.routing.router import Router
from turnout.routing.share_control import ShareControl
from turnout.settings import Settings
from turnout.testing import FixedScorer

CATALOG = Catalog(Settings.from_mapping({"tiers": {"cheap": {"models": ["a/c"]}, "expensive": {"models": ["a/e"]}}}))
TAGS = {"easy": 0.1, "hard": 0.9}


def router(target: float | ShareControl, *, novel: bool = True, text: float = 0.9) -> Router:
    """Every text scores the same; whether it is novel decides whether that counts."""
    return Router(catalog=CATALOG, scorer=FixedScorer(text, novel=novel, tag_scores=TAGS), target=target)


def decided(router: Router, tag: str = "", pacing_factor: float = 1.0) -> Decision:
    return router.decide(Query.from_text("?", tag=tag), pacing_factor=pacing_factor)


def test_a_known_request_is_decided_by_its_text() -> None:
    """The tag alone would say cheap."""
    actual = decided(router(0.7, novel=False), "easy")
    assert (actual.tier, actual.reason, actual.score, actual.novelty) == ("expensive", "scored", 0.9, 0.0)


@pytest.mark.parametrize(("tag", "tier"), [("easy", "cheap"), ("hard", "expensive")])
def test_a_novel_request_is_decided_by_its_tag(tag: str, tier: str) -> None:
    """The tag's rank is the score that the decision tells, its gain the gain; the text's is not used."""
    actual = decided(router(0.7), tag)
    assert (actual.tier, actual.reason, actual.score, actual.novelty) == (tier, "novel", TAGS[tag], 1.0)
    assert actual.expected_gain == TAGS[tag] - 0.5


def test_an_unknown_word_of_the_app_leaves_its_endpoint() -> None:
    """The decision still tells the app's word."""
    query = Query(messages=({"role": "user", "content": "?"},), tag="never seen", endpoint="hard")
    actual = router(0.7).decide(query)
    assert (actual.tier, actual.score, actual.tag) == ("expensive", TAGS["hard"], "never seen")
    actual = router(0.7).decide(Query(messages=query.messages, endpoint="hard"))
    assert (actual.tier, actual.tag) == ("expensive", "hard")


@pytest.mark.parametrize(("threshold", "tier"), [(0.4, "expensive"), (0.6, "cheap")])
def test_a_novel_request_of_no_known_tag_goes_where_most_go(threshold: float, tier: str) -> None:
    """The middle: expensive where more than half of the logs are."""
    actual = decided(router(threshold), "never seen")
    assert (actual.tier, actual.reason, actual.score) == (tier, "novel", 0.5)


@pytest.mark.parametrize("share", [0.1, 0.3, 0.7])
@pytest.mark.parametrize("tag", ["easy", "hard", "never seen"])
def test_the_share_is_kept_when_all_is_novel(share: float, tag: str) -> None:
    """All scores are equal then; within 3 points over 500 still."""
    control = router(ShareControl(share))
    tiers = [decided(control, tag).tier for _ in range(1_000)]
    for part in (tiers[:500], tiers[500:]):
        assert abs(part.count("expensive") / 500 - share) <= 0.03


def test_the_share_is_kept_when_novel_tags_mix() -> None:
    """And within it the tag that gains is preferred."""
    rng = random.Random(2)
    control = router(ShareControl(0.3))
    actual = [decided(control, rng.choice([*TAGS, "never seen"])) for _ in range(1_000)]
    expensive = [each.tag for each in actual if each.tier == "expensive"]
    assert abs(len(expensive) / 1_000 - 0.3) <= 0.03
    assert expensive.count("hard") > 0.8 * len(expensive)


def test_pacing_is_told_of_a_novel_request_too() -> None:
    """What sent it to the cheap tier is that money runs short."""
    assert decided(router(0.7), "hard", pacing_factor=0.0).reason == "pacing"


def test_a_score_that_reaches_a_fixed_threshold_is_expensive() -> None:
    """At it too; all of them at 0."""
    wishes = (0.9, 0.9 + 1e-9, 0.0)
    assert [decided(router(target, novel=False)).tier for target in wishes] == ["expensive", "cheap", "expensive"]


@pytest.mark.parametrize(("target", "pacing_factor", "reason"), [
    (0.9, 1.0, "scored"), (0.8, 0.5, "scored"), (0.81, 0.5, "pacing"), (0.9, 0.99, "pacing"), (0.95, 0.5, "scored"),
    (0.0, 0.1, "scored"), (0.0, 0.09, "pacing"), (0.0, 0.0, "pacing"), (1.0, 0.0, "scored"),
])  # fmt: skip
def test_pacing_leaves_so_much_of_what_a_fixed_threshold_takes(
    target: float, pacing_factor: float, reason: str
) -> None:
    """Of scores, which are ranks, the highest part: half of the highest 0.2 is the highest 0.1, which 0.9 reaches.
    "pacing" is told just where the wish alone would have been expensive."""
    actual = decided(router(target, novel=False), pacing_factor=pacing_factor)
    assert actual.reason == reason
    assert actual.tier == ("expensive" if target <= 0.9 and reason == "scored" else "cheap")


def test_where_pacing_leaves_nothing_no_score_is_high_enough() -> None:
    """Nor is one where the share is owed calls."""
    control = ShareControl(0.3)
    for _ in range(15):
        control.observe(0.5, expensive=False)
    assert control.debt < -4
    for target in (0.0, 1.0, control):
        assert decided(router(target, novel=False, text=1.0)).tier == "expensive"
        actual = decided(router(target, novel=False, text=1.0), pacing_factor=0.0)
        assert (actual.tier, actual.reason) == ("cheap", "pacing")
        assert actual.threshold > 1.0


@pytest.mark.parametrize("pacing_factor", [0.0, 0.5, 1.0])
def test_pacing_leaves_so_much_of_a_share(pacing_factor: float) -> None:
    """Within 3 points, of the hardest; "pacing" is told of none that the whole share would not have taken."""
    rng = random.Random(4)
    control, scorer = ShareControl(0.4), FixedScorer(scores={f"#{at:03}": at / 1000 for at in range(1000)})
    asked = Router(catalog=CATALOG, scorer=scorer, target=control)
    actual = [
        asked.decide(Query.from_text(f"#{rng.randrange(1000):03}"), pacing_factor=pacing_factor) for _ in range(1_000)
    ]
    tiers = [each.tier for each in actual]
    assert tiers.count("expensive") / 1_000 == pytest.approx(0.4 * pacing_factor, abs=0.03)
    paced = [each.score for each in actual[100:] if each.reason == "pacing"]
    assert len(paced) / 900 == pytest.approx(0.4 * (1 - pacing_factor), abs=0.08)
    assert all(each.tier == "cheap" for each in actual if each.reason == "pacing")
    assert min(paced, default=1.0) > 0.35
    assert all(each.reason == "scored" for each in actual if each.tier == "expensive")


def test_drift_is_asked_of_the_text() -> None:
    """What watches the traffic is told what the scorer made of it, not the tag's stand-in."""
    seen: list[Score] = []
    scorer = FixedScorer(0.9, novel=True, tag_scores=TAGS)
    Router(catalog=CATALOG, scorer=scorer, target=0.7, seen=seen.append).decide(Query.from_text("?", tag="easy"))
    assert [(actual.score, actual.novel) for actual in seen] == [(0.9, True)]
