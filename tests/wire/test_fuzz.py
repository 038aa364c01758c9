"""Whatever a caller or a provider sends: no 500, no hang, no task left. `benchmarks/wire_fuzz.py` runs many more."""

from __future__ import annotations

import pytest

from tests.support.wire_fuzz.run import Report, run

# litellm makes a coroutine and drops it where it refuses the request meanwhile; collected whenever the garbage is.
pytestmark = [
    pytest.mark.filterwarnings("ignore:coroutine '(BaseLLMHTTPHandler|AnthropicChatCompletion):RuntimeWarning"),
    pytest.mark.filterwarnings(
        "ignore:.*coroutine object (BaseLLMHTTPHandler|AnthropicChatCompletion):pytest.PytestUnraisableExceptionWarning"
    ),
]
CASES = 300


@pytest.fixture(scope="module", params=["direct", "litellm"])
def report(request: pytest.FixtureRequest) -> Report:
    """The run of a few hundred cases."""
    return run(seed=1, count=CASES, transport=request.param)


def test_nothing_that_is_sent_makes_a_500_a_hang_or_a_leak(report: Report) -> None:
    """At both doors, over four protocols, on four providers' wires: a finding names the case to run again."""
    assert report.cases == CASES
    assert (report.errors_500, report.hangs, report.leaks) == ([], [], [])


def test_every_ending_is_one_that_a_client_understands(report: Report) -> None:
    """JSON, or events of JSON with either [DONE] or an error at their end."""
    assert report.endings == []


def test_the_fuzz_reaches_the_provider(report: Report) -> None:
    """A run that is refused at the door as a whole would prove nothing."""
    assert report.statuses["ill provider: 200"] > CASES / 20
    assert report.statuses["well provider: 200"] > CASES / 20


def test_a_case_that_once_ended_badly_ends_well() -> None:
    """A chunk of a good answer with an `error` beside its choices, which clients would take for one."""
    assert run(seed=17, first=28723, count=1).endings == []


def test_a_case_that_once_blamed_the_provider_is_its_callers_400() -> None:
    """A generationConfig that is a number."""
    report = run(seed=17, first=5016, count=1)
    assert report.statuses == {"well provider: 400": 1}


@pytest.mark.parametrize(("seed", "case"), [(1, 593), (1, 757), (1, 971), (17, 6019)])
def test_a_case_that_once_made_a_500_makes_none(seed: int, case: int) -> None:
    """A choice without a message; an answer, and an error, nested deeper than Python reads; content that is a
    number."""
    report = run(seed=seed, first=case, count=1)
    assert report.cases == 1
    assert report.errors_500 == []
