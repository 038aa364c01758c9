"""From a score to a decision: whose score decides, why, and that the share is kept."""

from __future__ import annotations

import random

import pytest

from turnout.outcome import Decision
from turnout.ports import Query
from turnout.routing.catalog import Catalog
from turnout.routing.quantile import ShareKeeper
from turnout.routing.router import Router
from turnout.settings import Settings
from turnout.testing import FixedScorer

CATALOG = Catalog(Settings.from_mapping({"tiers": {"cheap": {"models": ["a/c"]}, "expensive": {"models": ["a/e"]}}}))
TAGS = {"easy": 0.1, "hard": 0.9}


def router(wish: float | ShareKeeper, *, novel: bool = True, text: float = 0.9) -> Router:
    """Every text scores the same; whether it is novel decides whether that counts."""
    return Router(catalog=CATALOG, scorer=FixedScorer(text, novel=novel, tag_scores=TAGS), wish=wish)


def decided(router: Router, tag: str = "", ease: float = 1.0) -> Decision:
    return router.decide(Query.from_text("?", tag=tag), ease=ease)


def test_a_known_request_is_decided_by_its_text() -> None:
    """The tag alone would say cheap."""
    told = decided(router(0.7, novel=False), "easy")
    assert (told.tier, told.reason, told.score, told.novelty) == ("expensive", "scored", 0.9, 0.0)


@pytest.mark.parametrize(("tag", "tier"), [("easy", "cheap"), ("hard", "expensive")])
def test_a_novel_request_is_decided_by_its_tag(tag: str, tier: str) -> None:
    """The tag's rank is the score that the decision tells, its gain the gain; the text's is not used."""
    told = decided(router(0.7), tag)
    assert (told.tier, told.reason, told.score, told.novelty) == (tier, "novel", TAGS[tag], 1.0)
    assert told.expected_gain == TAGS[tag] - 0.5


def test_an_unknown_word_of_the_app_leaves_its_endpoint() -> None:
    """The decision still tells the app's word."""
    query = Query(messages=({"role": "user", "content": "?"},), tag="never seen", endpoint="hard")
    told = router(0.7).decide(query)
    assert (told.tier, told.score, told.tag) == ("expensive", TAGS["hard"], "never seen")
    told = router(0.7).decide(Query(messages=query.messages, endpoint="hard"))
    assert (told.tier, told.tag) == ("expensive", "hard")


@pytest.mark.parametrize(("threshold", "tier"), [(0.4, "expensive"), (0.6, "cheap")])
def test_a_novel_request_of_no_known_tag_goes_where_most_go(threshold: float, tier: str) -> None:
    """The middle: expensive where more than half of the logs are."""
    told = decided(router(threshold), "never seen")
    assert (told.tier, told.reason, told.score) == (tier, "novel", 0.5)


@pytest.mark.parametrize("share", [0.1, 0.3, 0.7])
@pytest.mark.parametrize("tag", ["easy", "hard", "never seen"])
def test_the_share_is_kept_when_all_is_novel(share: float, tag: str) -> None:
    """All scores are equal then; within 3 points over 500 still."""
    keeper = router(ShareKeeper(share))
    tiers = [decided(keeper, tag).tier for _ in range(1_000)]
    for part in (tiers[:500], tiers[500:]):
        assert abs(part.count("expensive") / 500 - share) <= 0.03


def test_the_share_is_kept_when_novel_tags_mix() -> None:
    """And within it the tag that gains is preferred."""
    rng = random.Random(2)
    keeper = router(ShareKeeper(0.3))
    told = [decided(keeper, rng.choice([*TAGS, "never seen"])) for _ in range(1_000)]
    expensive = [each.tag for each in told if each.tier == "expensive"]
    assert abs(len(expensive) / 1_000 - 0.3) <= 0.03
    assert expensive.count("hard") > 0.8 * len(expensive)


def test_pacing_is_told_of_a_novel_request_too() -> None:
    """What sent it to the cheap tier is that money runs short."""
    assert decided(router(0.7), "hard", ease=0.0).reason == "pacing"


def test_drift_is_asked_of_the_text() -> None:
    """What watches the traffic is told what the scorer made of it, not the tag's stand-in."""
    seen: list[float] = []
    scorer = FixedScorer(0.9, novel=True, tag_scores=TAGS)
    Router(catalog=CATALOG, scorer=scorer, wish=0.7, seen=seen.append).decide(Query.from_text("?", tag="easy"))
    assert seen == [0.9]
