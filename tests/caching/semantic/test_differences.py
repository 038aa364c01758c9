"""Which pairs of questions are refused whatever a verifier says, and which rewordings pass."""

from __future__ import annotations

import time

import pytest

from tests.caching.semantic.adversarial import CLASSES, PAIRS
from turnout.caching.semantic.differences import find_difference, find_substitutions
from turnout.caching.semantic.words import LONGEST_TEXT, question_of


def differ(one: str, other: str) -> str | None:
    return find_difference(question_of(one), question_of(other))


def test_pairs_that_ask_two_things_are_all_refused() -> None:
    """None of over 1,900 pairs in ten classes passes, and none may be learnt to say the same but plain words."""
    assert len(PAIRS) >= 1900
    assert len({kind for *_, kind in PAIRS}) == len(CLASSES) == 10
    assert [pair for pair in PAIRS if differ(*pair[:2]) is None] == []
    learnable = [pair for pair in PAIRS if find_substitutions(question_of(pair[0]), question_of(pair[1]))]
    assert {kind for *_, kind in learnable} <= {"name"}


@pytest.mark.parametrize(
    ("one", "other", "kind"),
    [
        ("is 5 kg much", "is 5 lb much", "unit"),
        ("do go there", "don't go there", "negation"),
        ("what is 5!", "what is 5", "code"),
        ("what is .5", "what is 5", "number"),
        ("what is (1+2)*3", "what is 1+(2*3)", "code"),
        ("run `ls -A`", "run `ls -a`", "code"),
        ("open example.com", "open example com", "code"),
        ("which vitamin a", "which vitamin", "quantifier"),
        ("fares from Paris to London", "fares from London to Paris", "order"),
        ("How do I cook turkey well?", "How do I cook Turkey well?", "name"),
        ("a few people came", "few people came", "quantifier"),
        ("What is the best way to mend it?", "How do I mend it?", "comparative"),
        ("is he married", "is he unmarried", "negation"),
        ("is it wanted", "is it unwanted", "negation"),
        ("is it harmful", "is it harmless", "negation"),
        ("Who was Henry VII?", "Who was Henry VIII?", "number"),
        ("Please, where is Turkey on a map", "Please, where is turkey on a Map", "name"),
        ("What does Blend Labs do?", "What is Blend Labs?", "opposite"),
        ("how do I mend a phone", "how do I fix a phone", "word"),
        ("How do I act kindly?", "How do I act?", "word"),
        ("What is CO in chemistry?", "What is Co in chemistry?", "name"),
        ("Is Dr. John Adams a surgeon?", "Is Dr. Jane Adams a surgeon?", "name"),
        ("Is a contract void?", "Is the contract void?", "quantifier"),
        ("Name one planet", "Name one planets", "quantifier"),
        ("Is it año?", "Is it ano?", "language"),
        ("Translate into Thai: please", "Translate into Thai: thanks", "code"),
        ("What does myVar hold?", "What does myvar hold?", "code"),
    ],
)
def test_a_difference_is_named(one: str, other: str, kind: str) -> None:
    """Both ways round it has one name."""
    assert {differ(one, other), differ(other, one)} == {kind}


@pytest.mark.parametrize(
    "reworded",
    [
        "how do i reset my password",
        "HOW DO I RESET MY PASSWORD?",
        "How Do I Reset My Password",
        "Hello, how do I reset my password?",
        "hi there! how do I reset my password?",
        "Please, how do I reset my password?",
        "How do I reset my password, please?",
        "How do I reset my password? Thanks!",
        "  How   do I reset my password ?!",
        "how do i reset my password... 🙏",
        "Hello.\n\nHow do I reset my password?\n\nThank you so much",
        "good morning, how do I reset my password? thank you in advance.",
        "Hey! Could you please tell me: how do I reset my password",
        "How can I reset my password?",
        "How to reset my password",
        "What's the way to reset my password?",
        "How do I reset my password? :)",
        "How do I reset my password? Please and thank you!",
        "hi how do i reset my password",
        "hello , how do I reset my password .",
        "thanks in advance: how do i reset my password",
        "good morning how can I reset my password",
    ],
)
def test_plain_rewordings_pass(reworded: str) -> None:
    """Case, sentence marks, a greeting, please and thanks are no difference, nor how a way is asked for."""
    assert differ("How do I reset my password?", reworded) is None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("What's the colour of my phone?", "what is the color of my telephone"),
        ("Is the U.S. bigger than the UK?", "Is the United States bigger than the United Kingdom?"),
        ("Why doesn't it start?", "why does not it start"),
        ("is it 1,000 dollars", "Is it 1000 dollars?"),
        ("what is infinity divided by zero", "What is infinity divided by 0?"),
    ],
)
def test_one_thing_has_one_name(one: str, other: str) -> None:
    """Contractions, spellings and names that mean the same."""
    assert differ(one, other) is None


@pytest.mark.parametrize("greeting", ["Hello, {}", "Hey! {}", "Could you please tell me: {}", "{} Thanks!", "hi {}"])
def test_case_tells_nothing_of_a_question_in_small_letters_behind_a_greeting(greeting: str) -> None:
    """The greeting's own capital is no sign that its writer would have written names with one."""
    question = "Hello. How do I get to Paris by TGV?"
    reworded = greeting.format("how do i get to paris by tgv?")
    assert differ(question, reworded) is None
    assert differ(greeting.format("How do I get to Paris by TGV?"), reworded) is None


def test_what_was_learnt_to_say_the_same_passes_and_nothing_more() -> None:
    """Of one group's words alone."""
    mend, fix = question_of("How do I mend a broken phone?"), question_of("How do I fix a broken phone?")
    learnt = find_substitutions(mend, fix)
    assert learnt == {"fix": "mend"}
    assert find_difference(mend, question_of("Please, how can I fix a broken phone"), learnt) is None
    assert find_difference(mend, question_of("How do I sell a broken phone?"), learnt) == "opposite"
    longer = question_of("How do I really mend a broken phone?")
    assert find_substitutions(mend, longer) == find_substitutions(longer, mend) == {"really": ""}
    several = question_of("How do I quickly fix a cracked phone?")
    assert find_substitutions(mend, several) is None
    several = question_of("How do I fix a really cracked phone?")
    assert find_substitutions(mend, several) is None
    several = question_of("How do I fix a cracked phone really?")
    assert find_substitutions(mend, several) == {"fix": "mend", "cracked": "broken", "really": ""}
    assert find_substitutions(mend, mend) is None
    assert find_substitutions(mend, question_of("How do I mend a broken phone in the rainy Highlands?")) is None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Is sodium nitrate toxic?", "Is sodium nitrite toxic?"),
        ("What is hypertension?", "What is hypotension?"),
        ("How do I use pip?", "How do I use pipx?"),
        ("Is a list of tuples hashable?", "Is a tuple of lists hashable?"),
        ("What is x.com?", "What is x.org?"),
        ("Is 你好 formal?", "Is 您好 formal?"),
        ("What is der in German?", "What is das in German?"),
    ],
)
def test_words_that_are_no_other_words_are_never_learnt_to_say_the_same(one: str, other: str) -> None:
    """Of nearly the same letters, of other forms or places, or asked about."""
    assert find_substitutions(question_of(one), question_of(other)) is None
    assert find_substitutions(question_of(other), question_of(one)) is None


@pytest.mark.parametrize(
    "question",
    [
        "A student asks the student council for a room, and the council says no. What can the student do?",
        "How do I translate a page with the app on my phone?",
        "How many letters are in the alphabet? Thanks!",
    ],
)
def test_case_and_courtesy_tell_nothing_of_articles_and_words(question: str) -> None:
    """One noun with both articles is no other one in another case, nor is a question about words."""
    for reworded in (question.upper(), question.lower(), f"Hello, {question}", f"{question} Thank you!"):
        assert differ(question, reworded) is None


def test_a_text_of_nothing_but_courtesy_is_a_text() -> None:
    """ "Hello" and "Thanks" are two; so are two flags, and two numbers of either sign."""
    assert differ("Hello", "Thanks") is not None
    assert differ("hello", "Hello!") is None
    assert differ("-5 + 3", "5 + 3") is not None
    assert question_of("").content == ()


@pytest.mark.parametrize("evil", [".", "a'", "- ", "please ", "!", "1,", "hi, ", "`"])
def test_no_text_takes_long(evil: str) -> None:
    """Repeated to the longest text that is read."""
    text = (evil * LONGEST_TEXT)[: LONGEST_TEXT - 1] + "x"
    began = time.process_time()
    question_of(text)
    assert time.process_time() - began < 0.5
