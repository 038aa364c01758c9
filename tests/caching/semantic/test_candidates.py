"""What checks teach of one group of questions: to whom, and of whom."""

from __future__ import annotations

from dataclasses import replace

import pytest

from turnout.caching.semantic.candidates import ENOUGH_USERS, MOST_OF_A_GROUP, NOBODY, Candidates, SimilarCandidate
from turnout.caching.semantic.verifier import SHIPPED, load_verifier
from turnout.caching.semantic.words import question_of
from turnout.ports.semantic import Neighbour, SemanticEntry

ANN, BOB, MALLORY = "user:ann", "user:bob", "user:mallory"
ANSWER = b"With glue and patience."


def judged(
    candidates: Candidates, verb: str, asker: str, stored_of: str, stored: str = "mend"
) -> SimilarCandidate | None:
    """Of a question whose words are but for one those of the stored one."""
    text = "How do I {} my broken phone screen after it fell on stones?"
    entry = SemanticEntry(
        key=b"k", scope=b"s", question=text.format(stored), vector=b"", fresh_until=1e18, user=stored_of
    )
    return candidates.judge(question_of(text.format(verb)), b"s", [Neighbour(entry, 0.99)], asker)


def is_served(candidate: SimilarCandidate | None) -> bool:
    return candidate is not None and candidate.learnable is None


def check(candidates: Candidates, verb: str, asker: str, stored_of: str) -> None:
    """The model's own answer to the question agrees with the stored one."""
    candidate = judged(candidates, verb, asker, stored_of)
    assert candidate is not None
    assert candidate.learnable
    candidates.confirm(candidate, ANSWER, asker)


@pytest.fixture
def candidates() -> Candidates:
    return Candidates(load_verifier(SHIPPED))


def test_a_word_holds_for_who_asked_it(candidates: Candidates) -> None:
    """At once, whoever's question was stored; for no other, nor for anonymous callers."""
    check(candidates, "fix", ANN, BOB)
    assert is_served(judged(candidates, "fix", ANN, BOB))
    assert not is_served(judged(candidates, "fix", BOB, BOB))
    assert not is_served(judged(candidates, "fix", NOBODY, BOB))


def test_a_word_holds_for_all_once_enough_users_asked_it(candidates: Candidates) -> None:
    """Each of whom had the model's own answer."""
    for number in range(ENOUGH_USERS):
        assert not is_served(judged(candidates, "fix", BOB, BOB))
        check(candidates, "fix", f"user:{number}", BOB)
    assert is_served(judged(candidates, "fix", BOB, BOB))
    assert is_served(judged(candidates, "fix", NOBODY, BOB))


def test_a_word_holds_for_nobody_who_was_taught_another(candidates: Candidates) -> None:
    """What an attacker taught of the same questions is his own, however many honest users teach their words there."""
    check(candidates, "paint", MALLORY, MALLORY)
    for number in range(ENOUGH_USERS):
        check(candidates, "fix", f"user:{number}", MALLORY)
    for user in ("user:0", BOB, NOBODY):
        assert not is_served(judged(candidates, "paint", user, MALLORY))
    assert is_served(judged(candidates, "paint", MALLORY, MALLORY))


def test_whose_question_was_stored_is_taught_nothing(candidates: Candidates) -> None:
    """By another's check of it: nor is he one of those who have shown a word."""
    check(candidates, "paint", MALLORY, ANN)
    assert not is_served(judged(candidates, "paint", ANN, ANN))
    for number in range(ENOUGH_USERS - 2):
        check(candidates, "paint", f"user:{number}", ANN)
    assert not is_served(judged(candidates, "paint", BOB, ANN))


def test_words_that_stand_for_one_word_stand_for_each_other(candidates: Candidates) -> None:
    """For whom all of them hold."""
    for verb in ("fix", "patch"):
        check(candidates, verb, ANN, ANN)
    check(candidates, "fix", BOB, ANN)
    assert is_served(judged(candidates, "patch", ANN, ANN, stored="fix"))
    assert not is_served(judged(candidates, "patch", BOB, ANN, stored="fix"))


def test_anonymous_callers_teach_nothing(candidates: Candidates) -> None:
    """However many they are."""
    candidate = judged(candidates, "fix", NOBODY, NOBODY)
    assert candidate is not None
    assert candidate.learnable
    for _ in range(ENOUGH_USERS):
        assert candidates.confirm(candidate, ANSWER, NOBODY) is None
    assert not is_served(judged(candidates, "fix", NOBODY, NOBODY))
    assert not is_served(judged(candidates, "fix", ANN, NOBODY))


@pytest.mark.parametrize("verb", ["mends", "avoid", "m" * 41])
def test_what_an_earlier_version_found_teaches_no_words_that_tell_questions_apart(
    candidates: Candidates, verb: str
) -> None:
    """Its findings are kept for a month, and its workers may run beside."""
    earlier = Candidates(load_verifier(SHIPPED))
    candidate = judged(earlier, "fix", ANN, ANN)
    assert candidate is not None
    result = earlier.confirm(candidate, ANSWER, ANN)
    assert result is not None
    assert result.words == {"fix": "mend"}
    candidates.apply(replace(result, words={verb: "mend"}))
    assert not is_served(judged(candidates, verb, ANN, ANN))
    candidates.apply(result)
    assert is_served(judged(candidates, "fix", ANN, ANN))


@pytest.mark.parametrize("user", [ANN, BOB])
def test_a_purge_takes_what_was_learnt_of_a_user_s_questions(candidates: Candidates, user: str) -> None:
    """Of the stored one as of the one that was asked."""
    check(candidates, "fix", ANN, BOB)
    candidates.forget(MALLORY)
    assert is_served(judged(candidates, "fix", ANN, BOB))
    candidates.forget(user)
    assert not is_served(judged(candidates, "fix", ANN, BOB))


def test_the_users_and_words_of_a_group_are_bounded(candidates: Candidates) -> None:
    """What finds no room is not learnt, and whose it was is not kept."""
    for number in range(200):
        check(candidates, f"{chr(97 + number % 26)}{chr(97 + number // 26)}verb", f"user:{number}", BOB)
    group, *others = candidates._groups.values()
    assert all(each is group for each in others)
    assert len(group.taught) == len(others) == len(group.users) - 1 == MOST_OF_A_GROUP - 1
