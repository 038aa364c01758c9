"""What is read of a cheap answer, beside its question: signs that it may be wrong, as numbers. Pure, one bounded pass.

None of them knows what is right. They say whether the answer has the form that right ones have here: its length against
the question's, whether it comes to a result and how it marks it, whether its own arithmetic holds, whether it uses what
the question gave, how much it hedges, whether it breaks off or repeats itself.
"""

from __future__ import annotations

import ast
import math
import re
import warnings
from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from zlib import crc32

import numpy as np

from turnout.ports.scoring import Query
from turnout.routing import answer_arithmetic
from turnout.routing.answer_arithmetic import NUMBER, value_of
from turnout.routing.conversation import joined_ends, last_turn
from turnout.routing.features import ODD, Floats, Hashes, words_of

# Part of each verifier: one that was trained on other signs is refused.
SIGNS_VERSION = 2
# Characters read at each end of an answer: 2 x 1,500 holds nine of ten answers measured whole.
ANSWER_END = 1_500
# Characters of a question that are read for what it gives: its ends, too.
QUESTION_END = 1_500
# Characters of code that is parsed, at most: it takes some 200 microseconds.
MOST_CODE = 1_000
# Of an option's number: so near to it, a number of the answer is the same, rounded.
NEAR = 0.005

_LEXICON = {
    "hedging": "maybe perhaps might possibly probably likely unclear unsure approximately roughly about around seems "
    "appears could guess estimate closest",
    "refusing": "sorry cannot can't unable apologize apologies unfortunately insufficient impossible",
    "turning": "however but although wait actually instead mistake incorrect correction error nevertheless",
    "assuming": "assume assuming suppose assumed assumption given if",
    "concluding": "therefore thus so hence answer final conclusion total result",
    "ordering": "first second third then next finally step now after before",
    "negating": "not no none never neither nor without isn't doesn't don't",
    "first-person": "i i'm i'll i've my me we let's us our",
    "second-person": "you your you're",
    "assuring": "clearly obviously definitely certainly always exactly must correct",
}
_KINDS = {word.encode(): kind for kind, words in enumerate(_LEXICON.values()) for word in words.split()}
_REFUSING = list(_LEXICON).index("refusing")
_CHARACTERS = "\n.,?!:;=+*/$%-()\"'"
_CHARACTER_PLACES = np.array([ord(each) for each in _CHARACTERS])
_LISTED = re.compile(rb" *(?:[-*] |\d{1,2}[.)] |step \d)")
# Each begins with what is looked for at once: as one expression they take four times as long.
_MARKERS_WRITTEN = (
    re.compile(rb"####"), re.compile(rb"\\boxed"), re.compile(rb"the (?:final|correct) "),
    re.compile(rb"answer(?:\W{1,4}| is\b| would be\b| will be\b| should be\b)"),
)  # fmt: skip
_OPTION = re.compile(rb"^\(?([A-Pa-p])[).:] ?([^\n]{0,80})", re.M)
_CHOSEN = re.compile(rb"(?:^|[\s(*\"])\(?([A-P])(?=[).:*\"\s]|$)")
_CODE = re.compile(rb"```[a-z+#]{0,12}\n(.*?)(?:```|\Z)", re.S)
_ENDS = b".!?)}]`\"'*|>"

_FORM = (
    "characters", "characters for each of the question", "words", "sentences", "filled lines", "words in a sentence",
    "longest line", "last line", "list items", "bold marks", "code fences", "word length", "distinct words",
    "repeated lines", "cut short", "ends as a sentence", "ends with a question",
    "ends with a digit", "open brackets", "blank before", "blanks after", "bytes beyond ASCII",
)  # fmt: skip
_BEGINNING = ("begins with a refusal", "begins with a capital", "begins with a number", "begins with yes or no")
_MARKERS = ("final-answer markers", "place of the last marker", "characters after it", "boxed", "hash mark",
            "place of the first marker")  # fmt: skip
_OPTIONS = (
    "options offered", "an option is chosen", "the chosen is offered", "options named", "the first named is chosen",
    "times the chosen is named", "the chosen one's text is told", "other options' texts told", "place of the chosen",
    "no option behind the last marker", "options in numbers", "the chosen one's number is told",
    "other options' numbers told", "the last number is the chosen one's", "the last number is another option's",
)  # fmt: skip
_OVERLAP = ("words of the question", "the question's words in it", "its words in the question", "begins like it")
_CODES = ("code parses", "code does not parse", "characters of code", "functions", "calls the question's function",
          "JSON", "JSON ends")  # fmt: skip
NAMES: tuple[str, ...] = (
    *_FORM, *(f"{name} words" for name in _LEXICON), *(f"share of {name} words" for name in _LEXICON), *_BEGINNING,
    *_MARKERS, *answer_arithmetic.NAMES, *_OPTIONS, *_OVERLAP, *_CODES, *(f"share of {each!r}" for each in _CHARACTERS),
    "share of digits",
)  # fmt: skip


@dataclass(frozen=True)
class AnswerReading:
    """One answer as numbers, [len(NAMES)], and its distinct words without case, as they come, with how often each is
    there."""

    numbers: Floats
    words: tuple[bytes, ...]
    counts: tuple[int, ...]

    @cached_property
    def hashes(self) -> Hashes:
        """One hash a word."""
        return np.array(list(map(crc32, self.words)), np.uint64) * ODD

    @property
    def weights(self) -> Floats:
        """What each word counts for: ten times as often, three times as much."""
        return 1.0 + np.log(np.array(self.counts, np.float64))


def read_answer(query: Query, text: str) -> AnswerReading:
    """What is read of this answer to this question. Never raises on any text."""
    kept, length = joined_ends((text,), ANSWER_END)
    raw = kept.encode("utf-8", "replace")
    data = raw.strip()
    folded = data.lower()
    words = words_of(folded)
    question, asked_length, _ = last_turn(query)
    if len(question) > 2 * QUESTION_END:
        question = question[:QUESTION_END] + b"\n" + question[-QUESTION_END:]
    asked = question.lower()
    asked_words = words_of(asked)
    last, markers = _markers(folded)
    numbers = (
        *_form(raw, data, words, length, asked_length), *_wording(words), *_beginning(words, data),
        *markers, *answer_arithmetic.number_signs(folded, asked, asked_words),
        *_options(data, folded, question, last), *_overlap(words, asked_words), *_code(data, asked),
        *_rates(data),
    )  # fmt: skip
    counts = Counter(words)
    return AnswerReading(np.array(numbers, np.float64), tuple(counts), tuple(counts.values()))


def _form(raw: bytes, data: bytes, words: Sequence[bytes], length: int, asked: int) -> Sequence[float]:
    filled = [line for line in data.split(b"\n") if line.strip()] or [b""]
    sentences = data.count(b". ") + data.count(b".\n") + data.count(b"? ") + data.count(b"! ") + 1
    opened = sum(map(data.count, (b"(", b"[", b"{"))) - sum(map(data.count, (b")", b"]", b"}")))
    end, log = data[-1:], math.log1p
    return (
        log(length), math.log((length + 1) / (asked + 1)), log(len(words)), log(sentences), log(len(filled)),
        log(len(words) / sentences), log(max(map(len, filled))), log(len(filled[-1])),
        log(sum(map(bool, map(_LISTED.match, filled)))),
        log(data.count(b"**") / 2), log(data.count(b"```") / 2), sum(map(len, words)) / max(1, len(words)),
        len(set(words)) / max(1, len(words)), 1.0 - len(set(filled)) / len(filled),
        float(bool(end) and end not in _ENDS and not end.isdigit()), float(end in b".!?" and bool(end)),
        float(end == b"?"), float(end.isdigit()), float(max(-3, min(3, opened))), float(raw[:1].isspace()),
        log(min(20, len(raw) - len(raw.rstrip()))),
        (len(data) - len(data.decode("utf-8", "ignore"))) / max(1, len(data)),
    )  # fmt: skip


def _wording(words: Sequence[bytes]) -> Sequence[float]:
    counts = [0] * len(_LEXICON)
    for kind in map(_KINDS.get, words):
        if kind is not None:
            counts[kind] += 1
    return (*map(math.log1p, counts), *(count / max(1, len(words)) for count in counts))


def _beginning(words: Sequence[bytes], data: bytes) -> Sequence[float]:
    return (
        float(any(_KINDS.get(word) == _REFUSING for word in words[:8])), float(data[:1].isupper()),
        float(data[:1].isdigit()), float(bool(words) and words[0] in (b"yes", b"no", b"true", b"false")),
    )  # fmt: skip


def _markers(folded: bytes) -> tuple[int, Sequence[float]]:
    """Where the last marker ends, 0 without one; and its signs."""
    found = [match.end() for marker in _MARKERS_WRITTEN for match in marker.finditer(folded)]
    if not found:
        return 0, (0.0, -1.0, -1.0, 0.0, 0.0, -1.0)
    last, whole = max(found), max(1, len(folded))
    return last, (
        math.log1p(len(found)), last / whole, math.log1p(len(folded) - last), float(b"\\boxed" in folded),
        float(b"####" in folded), min(found) / whole,
    )  # fmt: skip


def _options(data: bytes, folded: bytes, question: bytes, marked: int) -> Sequence[float]:
    """marked: where the last marker ends."""
    offered = {letter.upper(): text.strip().lower() for letter, text in _OPTION.findall(question)}
    if len(offered) < 2:
        return (0.0,) * len(_OPTIONS)
    named = _CHOSEN.findall(data)
    named = [each for each in named if each in offered] or named
    chosen = named[-1] if named else b""
    named_texts = [letter for letter, text in offered.items() if text and text in folded]
    place = list(offered).index(chosen) / len(offered) if chosen in offered else -1.0
    numbers = {letter: value_of(found.group()) for letter, text in offered.items() if (found := NUMBER.search(text))}
    stated = NUMBER.findall(folded, 0, marked or len(folded)) if numbers else []
    reached, last = _reached(numbers, stated)
    return (
        float(len(offered)), float(bool(chosen)), float(chosen in offered), float(len(set(named))),
        float(bool(named) and named[0] == chosen), math.log1p(named.count(chosen)), float(chosen in named_texts),
        math.log1p(len(named_texts) - (chosen in named_texts)), place,
        float(marked > 0 and _CHOSEN.search(data, marked - 1) is None), len(numbers) / len(offered),
        float(chosen in reached), math.log1p(len(reached) - (chosen in reached)),
        float(chosen in last), float(bool(last) and chosen not in last),
    )  # fmt: skip


def _reached(numbers: Mapping[bytes, float], stated: Sequence[bytes]) -> tuple[Sequence[bytes], Sequence[bytes]]:
    """The options whose numbers an answer tells, and those whose number is the last that it tells; to NEAR of them."""
    if not numbers or not stated:
        return (), ()
    values = list(map(value_of, stated))
    final = values[-1]
    values.sort()
    reached = []
    for letter, number in numbers.items():
        at = bisect_left(values, number - NEAR * number)
        if at < len(values) and values[at] <= number + NEAR * number:
            reached.append(letter)
    return reached, [letter for letter, number in numbers.items() if abs(final - number) <= NEAR * number]


def _overlap(words: Sequence[bytes], asked: Sequence[bytes]) -> Sequence[float]:
    here, there = set(words), set(asked)
    shared, head = len(here & there), words[:12]
    return (
        math.log1p(len(there)), shared / max(1, len(there)), shared / max(1, len(here)),
        sum(word in head for word in asked[:6]) / max(1, len(asked[:6])),
    )  # fmt: skip


def _code(data: bytes, asked: bytes) -> Sequence[float]:
    blocks = (
        [block for block in _CODE.findall(data) if b"def " in block or b"import " in block] if b"```" in data else []
    )
    code = blocks[0] if blocks else data if data.startswith((b"def ", b"import ", b"from ", b"class ")) else b""
    parses = _parses(code) if code and len(code) <= MOST_CODE else None
    functions = re.findall(rb"def (\w{1,40})", code)
    is_json = data[:1] in (b"{", b"[")
    return (
        float(parses is True), float(parses is False), math.log1p(len(code)), float(len(functions)),
        float(any(name.lower() in asked for name in functions)), float(is_json or b"```json" in data),
        float(is_json and data[-1:] in (b"}", b"]")),
    )  # fmt: skip


def _parses(code: bytes) -> bool:
    # A backslash in a text may be warned of, and is no fault here.
    text = code.replace(b"\\", b"/").decode("utf-8", "replace")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(text)
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return False
    return True


def _rates(data: bytes) -> Sequence[float]:
    counts = np.bincount(np.frombuffer(data, np.uint8), minlength=256) / max(1, len(data))
    return (*counts[_CHARACTER_PLACES].tolist(), float(counts[48:58].sum()))
