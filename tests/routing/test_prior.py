"""The default scorer: in [0, 1] on anything, and higher for what takes more steps."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from turnout.ports.scoring import Query
from turnout.routing.prior import PriorScorer

PRIOR = PriorScorer()


@given(st.text(max_size=500))
def test_any_text_gets_a_score(text: str) -> None:
    """Never an error, always within bounds."""
    assert 0.0 <= PRIOR.score(Query.from_text(text)).score <= 1.0


def test_more_steps_score_higher() -> None:
    """A greeting, a question, a word problem."""
    actual = [
        "Hi!",
        "What is the capital of France?",
        "If a train takes 3 hours for half of 240 km and then twice as long for the rest, calculate its speed.",
    ]
    scores = [PRIOR.score(Query.from_text(text)).score for text in actual]
    assert scores == sorted(scores)
    assert scores[0] < 0.3 < scores[-1]


def test_it_tells_its_reasons_and_its_limits() -> None:
    """Words of negation and logic raise the score, and are named; what it was worth is told beside."""
    plain = PRIOR.score(Query.from_text("Name the capital of France and its river")).score
    logical = Query.from_text("If not all of them lie then which statement is never false")
    assert PRIOR.score(logical).score > plain
    assert any("negation" in reason for reason in PRIOR.explain(logical))
    assert "APGR" in PRIOR.limits
    weights = [abs(float(reason.split()[0])) for reason in PRIOR.explain(logical, 100)]
    assert PRIOR.explain(logical, 2) == PRIOR.explain(logical, 100)[:2]
    assert weights == sorted(weights, reverse=True)
    assert len(weights) > 2
    assert min(weights) > 0
    # What it ranks by is no gain that was measured on anybody's logs.
    assert PRIOR.score(logical).expected_gain == 0.0
