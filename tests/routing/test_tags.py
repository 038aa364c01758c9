"""Which tag a request has: the app's word, else its system prompt; the same in training and in service."""

from __future__ import annotations

import hashlib
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from turnout import Turnout
from turnout.context import Caller
from turnout.logs.labelled import Logs
from turnout.openai.messages import Message
from turnout.ports.scoring import Query
from turnout.routing.features import read_features
from turnout.routing.scorer import FileScorer, load_scorer
from turnout.routing.tags import END_CHARACTERS, MOST_SYSTEM, identity, known_tag
from turnout.testing import ScriptedProvider
from turnout.training import evaluate, fit

pytestmark = pytest.mark.usefixtures("light")

# Of one length: what tells them apart is which they are.
TUTOR, CLERK = "You are a patient tutor of mathematics.", "You sort the letters for the town hall."


def chat(system: str, text: str) -> tuple[Message, ...]:
    return ({"role": "system", "content": system}, {"role": "user", "content": text})


def rows(count: int = 200, systems: tuple[str, str] = (TUTOR, CLERK), **more: Any) -> list[dict[str, Any]]:
    """The text says nothing; the cheap tier fails the first system prompt's requests nine times in ten."""
    rng = random.Random(1)
    results = []
    for at in range(count):
        system = systems[at % 2]
        cheap = float(rng.random() < (0.1 if system == systems[0] else 0.9))
        text = f"Please see to number {rng.randrange(10_000)}"
        results.append(
            {"messages": [*chat(system, text)], "cheap_quality": cheap, "expensive_quality": 1.0, "id": str(at), **more}
        )
    return results


@pytest.fixture(scope="module")
def trained(light: None) -> fit.Fitted:
    """On conversations without groups."""
    return fit.train(Logs.from_rows(rows()))


def test_a_system_prompt_is_known_by_its_ends_without_its_digits() -> None:
    """Dates and what is in the middle do not matter; its words do. None, none."""
    assert identity(chat(TUTOR, "x")) == identity(chat(TUTOR, "another question"))
    assert identity(chat(TUTOR, "x")) != identity(chat(CLERK, "x"))
    assert identity(chat("Today is 2026-11-24.", "x")) == identity(chat("Today is 2026-1-9.", "x"))
    head, tail = "a" * END_CHARACTERS, "z" * END_CHARACTERS
    assert identity(chat(head + "ann" + tail, "x")) == identity(chat(head + "bob, who pays" + tail, "x"))
    ends = ("b" + head[1:], tail), (head[1:] + "b", tail), (head, "b" + tail[1:]), (head, tail[1:] + "b"), (head, tail)
    assert len({identity(chat(f"{first}ann{last}", "x")) for first, last in ends}) == 5
    assert identity(({"role": "user", "content": "x"},)) == ""
    assert identity(chat("\ud800", "x")).startswith("system:")
    developer: Message = {"role": "developer", "content": [{"type": "text", "text": TUTOR}]}
    assert identity((developer, {"role": "user", "content": "x"})) == identity(chat(TUTOR, "x"))


def test_an_identity_stands_still() -> None:
    """Scorer files hold them: that of all texts of the system and developer messages, each on a line of its own."""
    image = {"type": "image_url", "image_url": {}}
    parts = [{"type": "text", "text": "Be kind."}, image, {"type": "text", "text": "2"}]
    actual: list[tuple[Message, ...]] = [
        ({"role": "system", "content": parts}, {"role": "developer", "content": "And brief."}),
        ({"role": "system", "content": "Be kind."}, {"role": "system", "content": [image]}),
        ({"role": "system", "content": "é" * 3_000},),
    ]
    for messages, text in zip(
        actual, ["Be kind.\n\nAnd brief.", "Be kind.\n", "é" * 1_000 + "\n" + "é" * 1_000], strict=True
    ):
        assert identity(messages) == f"system:{hashlib.blake2b(text.encode(), digest_size=6).hexdigest()}"
    assert identity(({"role": "system", "content": ""}, {"role": "user", "content": "x"})) == ""
    assert identity(({"role": "system", "content": [image]},)) == ""


def test_of_many_system_messages_the_first_and_last_are_read() -> None:
    """As many as MOST_SYSTEM: what stands between them does not matter."""
    actual = [{"role": "system", "content": f"rule {chr(97 + at % 26)}"} for at in range(3 * MOST_SYSTEM)]
    between = {"role": "system", "content": "another"}
    half = MOST_SYSTEM // 2
    assert identity([*actual[:half], between, *actual[half:]]) == identity(actual)
    assert identity([*actual[: half - 1], between, *actual[half:]]) != identity(actual)
    assert identity([*actual[: 1 - half], between, *actual[1 - half :]]) != identity(actual)


def test_the_apps_own_word_wins_where_it_is_known() -> None:
    """Else its endpoint, else the system prompt's identity where that is known; else there is no tag."""
    query, actual = Query(messages=chat(TUTOR, "x"), tag="/ask"), identity(chat(TUTOR, "x"))
    assert known_tag(replace(query, endpoint="/here"), {"/ask", "/here", actual}) == "/ask"
    assert known_tag(replace(query, endpoint="/here"), {"/here", actual}) == "/here"
    assert known_tag(query, {"/ask", actual}) == "/ask"
    assert known_tag(query, {"/other", actual}) == actual
    assert known_tag(query, {"/other"}) == ""
    assert known_tag(Query.from_text("x", tag="/ask"), {actual}) == ""


def test_logs_without_groups_are_tagged_by_system_prompt() -> None:
    """A row's own group wins; a row with neither has none."""
    actual = Logs.from_rows(
        [
            *rows(2),
            {**rows(1)[0], "group": "shop"},
            {"prompt": "a text", "cheap_quality": 1, "expensive_quality": 1},
        ]
    )
    assert actual.groups == [identity(chat(TUTOR, "")), identity(chat(CLERK, "")), "shop", ""]


def test_one_group_for_all_tells_nothing_so_the_system_prompt_does() -> None:
    """The one endpoint of a gateway. Of two groups, or where the prompts do not differ either, groups stay."""
    gateway = Logs.from_rows(rows(20, group="/v1/chat/completions"))
    assert set(gateway.groups) == {"/v1/chat/completions"}
    assert set(gateway.tagged().groups) == {identity(chat(TUTOR, "")), identity(chat(CLERK, ""))}
    alike = Logs.from_rows(rows(20, systems=(TUTOR, TUTOR), group="g"))
    assert set(alike.tagged().groups) == {"g"}
    two = Logs.from_rows([*rows(20, group="a"), *rows(20, group="b")])
    assert set(two.tagged().groups) == {"a", "b"}


def test_a_few_stray_rows_make_no_second_group() -> None:
    """A try at another endpoint before the traffic came: the tag still tells nothing. Of over a twentieth it does."""
    for strays, expected in ((2, {"/ask"}), (3, {"/ask", "/other"})):
        logs = Logs.from_rows([*rows(40, systems=(TUTOR, TUTOR), group="/ask"), *rows(strays, group="/other")])
        assert set(logs.tagged().groups) == expected


def test_a_system_prompt_that_was_sent_once_is_not_kept() -> None:
    """A name in each of them: no tag at all, in the file neither; those that come again are."""
    names = [f"{first}{second}{third}" for first in "abcdefg" for second in "abcdefg" for third in "abcde"]
    actual = [
        {**row, "messages": [*chat(f"You help {name}.", "hello")]} for row, name in zip(rows(200), names, strict=False)
    ]
    once = fit.train(Logs.from_rows(actual))
    assert once.artifact.header["known_tags"] == once.artifact.header["tags"] == []
    both = fit.train(Logs.from_rows([*actual, *rows(200)]))
    assert set(both.artifact.header["known_tags"]) == {identity(chat(TUTOR, "")), identity(chat(CLERK, ""))}
    report = evaluate.report(Logs.from_rows([*actual, *rows(200)]), evaluate.with_scorer(both.logs, both.scorer))
    assert set(report["groups"]) == {"", *both.artifact.header["known_tags"]}


def test_it_learns_which_system_prompt_needs_the_expensive_tier(trained: fit.Fitted) -> None:
    """Never seen texts: the tutor's gain, the clerk's do not; an unseen prompt is in between."""
    gains = {
        system: trained.scorer.score(Query(messages=chat(system, "Please see to number 1"))).expected_gain
        for system in (TUTOR, CLERK, "You write poems.")
    }
    assert gains[TUTOR] > 0.6
    assert gains[CLERK] < 0.3
    assert gains[CLERK] < gains["You write poems."] < gains[TUTOR]


def test_an_endpoint_that_the_logs_did_not_know_changes_nothing(trained: fit.Fitted, tmp_path: Path) -> None:
    """What was trained without groups serves under an endpoint: equal, through the file, on every row of the logs."""
    trained.save(tmp_path / "s")
    served = load_scorer(tmp_path / "s")
    for query in trained.logs.queries[:50]:
        bare = Query(messages=query.messages)
        assert query.tag.startswith("system:")
        assert served.score(bare) == trained.scorer.score(query)
        assert served.score(Query(messages=query.messages, tag="/v1/chat/completions")) == trained.scorer.score(query)
        assert served.raw(read_features(query)) == trained.scorer.raw(read_features(query))


def test_groups_of_the_logs_serve_as_endpoints_whatever_the_system_prompt() -> None:
    """Explicit ones win in training, and so in service."""
    actual = [
        {"messages": [*chat((TUTOR, CLERK)[at // 2 % 2], f"number {at}")], "group": ("/hard", "/easy")[at % 2],
         "cheap_quality": at % 2, "expensive_quality": 1.0}
        for at in range(200)
    ]  # fmt: skip
    scorer = fit.train(Logs.from_rows(actual)).scorer
    gains = [
        scorer.score(Query(messages=chat(system, "number 7"), tag=tag)).expected_gain
        for tag in ("/hard", "/easy")
        for system in (TUTOR, CLERK)
    ]
    assert min(gains[:2]) > max(gains[2:]) + 0.5


def test_a_novel_request_is_decided_by_its_system_prompts_mean(trained: fit.Fitted) -> None:
    """Its text tells nothing, whose it is does."""
    actual = {
        system: trained.scorer.score(Query(messages=chat(system, "Schreiben Sie dem Amt"), tag="/chat"))
        for system in (TUTOR, CLERK)
    }
    assert all(score.novel for score in actual.values())
    assert actual[TUTOR].tag_score > 0.5 > actual[CLERK].tag_score


def test_it_is_told_as_a_reason(trained: fit.Fitted) -> None:
    """In words, neither by its hash nor as a group, and the strongest where the text says nothing."""
    reasons = trained.scorer.explain(Query(messages=chat(TUTOR, "Please see to number 1")))
    assert reasons[0].startswith("+")
    assert reasons[0].endswith("  its system prompt")
    assert "system:" not in "".join(reasons)


async def _tier(turnout: Turnout, system: str) -> str:
    messages = [*chat(system, "Please see to number 77")]
    return (await turnout.complete(messages, caller=Caller(endpoint="/v1/chat/completions"))).outcome.tier


def test_a_running_turnout_decides_by_it(tmp_path: Path) -> None:
    """The request log's groups are all one endpoint: trained on such logs, served behind that endpoint."""
    import asyncio

    fit.train(Logs.from_rows(rows(group="/v1/chat/completions"))).save(tmp_path / "s")
    config = {
        "tiers": {"cheap": {"models": ["openai/a"]}, "expensive": {"models": ["openai/b"]}},
        "routing": {"scorer": str(tmp_path / "s"), "threshold": 0.5},
    }

    async def scenario() -> None:
        turnout = Turnout(config, provider=ScriptedProvider())
        assert await _tier(turnout, TUTOR) == "expensive"
        assert await _tier(turnout, CLERK) == "cheap"
        await turnout.aclose()

    asyncio.run(scenario())


def test_the_file_says_which_tags_it_knows(trained: fit.Fitted) -> None:
    """One that knows none by mistake is damaged."""
    assert isinstance(trained.scorer, FileScorer)
    assert trained.artifact.header["known_tags"] == sorted({query.tag for query in trained.logs.queries})
