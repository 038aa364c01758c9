"""What one user's questions teach: words that say the same in enough of them do so in all."""

from __future__ import annotations

from dataclasses import replace

from tests.caching.semantic.test_error_bound import LEVELS
from turnout.caching.semantic.candidates import MOST_TAUGHT, NOBODY, Candidates, SimilarCandidate
from turnout.caching.semantic.taught_words import ENOUGH_QUESTIONS, MOST_WORDS, TaughtWords, are_unlike
from turnout.caching.semantic.verifier import SHIPPED, load_verifier
from turnout.caching.semantic.words import LONGEST_TEXT, MOST_SKETCHED, question_of, sketch
from turnout.ports.semantic import Neighbour, SemanticEntry

TOPICS = (
    "broken phone screen after it fell on stones", "leaking kitchen roof beneath heavy snow in winter",
    "rotten garden fence made from oak planks", "torn woollen coat with missing brass buttons",
)  # fmt: skip
ANN, BOB = "user:ann", "user:bob"
DIGITS_TO_LETTERS = str.maketrans("0123456789", "qwrtypsdfg")


def note(taught_words: TaughtWords, number: int, answer: str = "") -> None:
    words = question_of(f"how do I mend my {TOPICS[number]}").content[3:]
    taught_words.note({"fix": "mend"}, sketch(words), (answer or TOPICS[number]).encode())


def test_words_hold_once_enough_questions_taught_them() -> None:
    """Unlike each other, each with an answer of its own; the same question or answer again teaches no more."""
    taught_words = TaughtWords()
    for _ in range(ENOUGH_QUESTIONS):
        note(taught_words, 0)
        note(taught_words, 0, "in other words")
        note(taught_words, 1, TOPICS[0])
    assert taught_words.words == {}
    note(taught_words, 1)
    assert taught_words.words == {}
    note(taught_words, 2)
    assert taught_words.words == {"mend": "fix"}


def test_what_stands_for_a_word_stands_for_all_that_it_stood_for() -> None:
    """However they are learnt, one after the other."""
    taught_words = TaughtWords()
    for pair in ({"fix": "mend"}, {"patch": "repair"}, {"mend": "patch"}, {"quickly": ""}):
        for number in range(ENOUGH_QUESTIONS):
            taught_words.note(pair, sketch(question_of(TOPICS[number]).content), TOPICS[number].encode())
    assert taught_words.words == {"mend": "fix", "patch": "fix", "repair": "fix", "quickly": ""}


def test_a_word_that_proved_to_differ_is_learnt_no_more() -> None:
    """Nor does it hold any longer."""
    taught_words = TaughtWords()
    for number in range(3):
        note(taught_words, number)
    taught_words.refuse({"mend"})
    assert taught_words.words == {}
    for number in range(4):
        note(taught_words, number)
    assert taught_words.words == {}


def entry(text: str, user: str) -> SemanticEntry:
    return SemanticEntry(key=text.encode(), scope=b"s", question=text, vector=b"", fresh_until=1e18, user=user)


def judged(candidates: Candidates, verb: str, number: int, asker: str, stored_of: str) -> SimilarCandidate | None:
    """Of a question whose words are but for one those of a stored one."""
    neighbour = Neighbour(entry(f"How do I mend my {TOPICS[number]}?", stored_of), 0.99)
    return candidates.judge(question_of(f"How do I {verb} my {TOPICS[number]}?"), b"s", [neighbour], asker)


def taught(asker: str, stored_of: str) -> Candidates:
    """Where checks found that the same serves, in three questions."""
    candidates = Candidates(load_verifier(SHIPPED))
    for number in range(3):
        candidate = judged(candidates, "fix", number, asker, stored_of)
        assert candidate is not None
        assert candidate.learnable == {"fix": "mend"}
        candidates.confirm(candidate, TOPICS[number].encode(), asker)
    return candidates


def is_served(candidate: SimilarCandidate | None) -> bool:
    return candidate is not None and candidate.learnable is None


def test_it_serves_in_a_question_that_nobody_asked_in_these_words() -> None:
    """At the last level, as all that was learnt; and no other word along with it."""
    candidates = taught(ANN, ANN)
    candidate = judged(candidates, "fix", 3, ANN, ANN)
    assert is_served(candidate)
    assert candidate is not None
    assert candidate.probability <= LEVELS[-1]
    assert not is_served(judged(candidates, "sell", 3, ANN, ANN))
    assert not is_served(judged(candidates, "paint", 3, ANN, ANN))


def test_nobody_is_taught_by_another() -> None:
    """What one user's questions taught holds for no other's; nor for anonymous callers, whoever they are; nor what the
    question that another had stored taught."""
    assert not is_served(judged(taught(ANN, ANN), "fix", 3, BOB, ANN))
    assert not is_served(judged(taught(NOBODY, NOBODY), "fix", 3, NOBODY, NOBODY))
    assert not is_served(judged(taught(ANN, BOB), "fix", 3, ANN, ANN))


def test_a_wrong_hit_by_it_ends_it() -> None:
    """In every question, and for good."""
    candidates = taught(ANN, ANN)
    wrong = judged(candidates, "fix", 3, ANN, ANN)
    assert wrong is not None
    candidates.reject(wrong, ANN)
    assert not is_served(judged(candidates, "fix", 3, ANN, ANN))
    assert not candidates._taught[b"s", ANN].words


def test_a_check_that_disagrees_bars_the_words() -> None:
    """Also where nothing was served by them yet: two questions that agree before and one after teach nothing."""
    candidates = Candidates(load_verifier(SHIPPED))
    for number in range(4):
        candidate = judged(candidates, "fix", number, ANN, ANN)
        assert candidate is not None
        if number == 2:
            candidates.reject(candidate, ANN)
        else:
            candidates.confirm(candidate, TOPICS[number].encode(), ANN)
    assert candidates._taught[b"s", ANN].words == {}


def test_a_purge_of_the_user_takes_it() -> None:
    """And leaves the others theirs."""
    candidates = taught(ANN, ANN)
    candidates.forget(BOB)
    assert is_served(judged(candidates, "fix", 3, ANN, ANN))
    candidates.forget(ANN)
    assert not is_served(judged(candidates, "fix", 3, ANN, ANN))


def test_whether_long_questions_are_unlike_is_told_by_a_few_of_their_words() -> None:
    """The same in every process, however many words there are."""
    texts = [[f"w{number}" for number in range(start, start + 400)] for start in (0, 40, 360, 1000)]
    sketches = [sketch(words) for words in texts]
    assert {len(each) for each in sketches} == {4 * MOST_SKETCHED}
    assert [are_unlike(sketches[0], each) for each in sketches] == [False, False, True, True]
    assert sketch(["mend", "phone"]).hex() == sketch(["phone", "mend", "mend"]).hex() == "17b51a61444f97dd"


def test_many_words_of_many_users_are_bounded() -> None:
    """One user cannot have more than so many, nor can all together; the longest question takes no more than a short
    one."""
    taught_words, asked = TaughtWords(), sketch(f"{number} x" for number in range(LONGEST_TEXT))
    for number in range(3 * MOST_WORDS):
        taught_words.note({f"a{number}": f"b{number}"}, asked, b"answer")
        taught_words.refuse([f"c{number}"])
    assert taught_words.size <= 2 * MOST_WORDS
    candidates = Candidates(load_verifier(SHIPPED))
    candidate = judged(candidates, "fix", 0, ANN, ANN)
    assert candidate is not None
    result = candidates.confirm(candidate, b"answer", ANN)
    assert result is not None
    for number in range(2 * MOST_TAUGHT):
        user = f"user:{number // 100}"
        words = {f"{number}".translate(DIGITS_TO_LETTERS): "banana"}
        candidates.apply(replace(result, asked=b"%d" % number, words=words, users=(user, user)))
    sizes = [each.size for each in candidates._taught.values()]
    assert MOST_TAUGHT - 100 <= sum(sizes) == candidates._taught_size <= MOST_TAUGHT
    candidates.forget(None)
    assert candidates._taught_size == 0
