"""Which pairs of questions differ in their words, by ten kinds, and which rewordings do not."""

from __future__ import annotations

from itertools import permutations

import pytest

from turnout.caching.question_words import find_difference

# A sentence with one gap, and words for it of which no two ask the same: each ordered pair of them is one case.
SENTENCES = {
    "number": ("What is {} percent of my salary?", "5 7 15 50 .5 5.5 1,500 twelve"),
    "unit": ("How long is a walk of 5 {} with a dog?", "km miles meters yards feet inches cm"),
    "negation": ("Can I {} take this with milk?", "not never safely"),
    "quantifier": ("Are {} birds able to fly?", "all some most few many both"),
    "comparative": ("Which fund has the {} fees?", "higher lower highest lowest better worse"),
    "time": ("Is the museum open {}?", "today tomorrow yesterday monday sunday daily in june"),
    "language": ("How do I say thanks in {} politely?", "french german spanish python korean hindi"),
    "code": ("What does x {} y do?", "== = != + - * ** // /"),
    "word": ("How do I {} two-factor login?", "enable disable activate remove reset bypass"),
}
TOWNS = ["paris", "london", "rome", "berlin", "madrid", "vienna", "oslo", "lisbon", "dublin", "athens"]
PAIRS = [
    (sentence.format(one), sentence.format(other), kind)
    for kind, (sentence, words) in SENTENCES.items()
    for one, other in permutations(words.split(), 2)
] + [
    (f"How long from {a} to {b} by {way}?", f"how long from {b} to {a} by {way}", "order")
    for a, b in permutations(TOWNS, 2)
    for way in ("train", "car")
]


def test_pairs_that_ask_two_things_are_all_refused() -> None:
    """None of over 500 pairs in ten kinds passes."""
    passed = [(one, other) for one, other, _ in PAIRS if find_difference(one, other) is None]
    assert len(PAIRS) >= 500
    assert {kind for *_, kind in PAIRS} == {*SENTENCES, "order"}
    assert passed == []


@pytest.mark.parametrize(
    ("one", "other", "kind"),
    [
        ("is 5 kg much", "is 5 lb much", "word"),
        ("do go there", "don't go there", "negation"),
        ("what is 5!", "what is 5", "code"),
        ("what is .5", "what is 5", "number"),
        ("what is (1+2)*3", "what is 1+(2*3)", "order"),
        ("run `ls -A`", "run `ls -a`", "code"),
        ("open example.com", "open example com", "code"),
        ("vitamin a", "vitamin", "word"),
        ("fares from Paris to London", "fares from London to Paris", "order"),
    ],
)
def test_a_difference_is_named(one: str, other: str, kind: str) -> None:
    """Both ways round, the difference has one name; a unit set against an unknown word still refuses."""
    found = {find_difference(one, other), find_difference(other, one)}
    assert found <= {kind, "unit"}
    assert None not in found


@pytest.mark.parametrize(
    "reworded",
    [
        "how do i reset my password",
        "HOW DO I RESET MY PASSWORD?",
        "Hello, how do I reset my password?",
        "hi there! how do I reset my password?",
        "Please, how do I reset my password?",
        "How do I reset my password, please?",
        "How do I reset my password? Thanks!",
        "good morning, how do I reset my password? thank you in advance.",
    ],
)
def test_plain_rewordings_pass(reworded: str) -> None:
    """Case, sentence marks, a greeting, please and thanks are no difference."""
    assert find_difference("How do I reset my password?", reworded) is None
