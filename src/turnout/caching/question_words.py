"""What two questions differ in, by their words alone: the first check before one's answer may serve the other.

An embedding puts "Paris to London" beside "London to Paris" and "enable" beside "disable". These rules refuse such
pairs by name. They only ever refuse: a pair that passes may still ask two things. Nothing is served by them yet: there
is no semantic cache.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from typing import Literal

Difference = Literal[
    "number", "unit", "negation", "quantifier", "comparative", "time", "language", "code", "order", "word"
]

_RANKED: tuple[Difference, ...]
_RANKED = ("number", "unit", "negation", "quantifier", "comparative", "time", "language", "code")

_TOKEN = re.compile(r"[^\W\d_]+|[.]?\d+(?:[.,:]\d+)*|\S")
_CONTRACTED = re.compile(r"(?<=[a-z])n['’]t\b")
_IRREGULAR = {"can't": "can not", "cannot": "can not", "won't": "will not", "can’t": "can not", "won’t": "will not"}
_COURTESY = re.compile(
    r"^(?:(?:hi|hello|hey|good (?:morning|evening|afternoon))(?: there)?\b[\s,!.]*)+|"
    r"\bplease\b|\b(?:thanks|thank you)\b(?: (?:a lot|so much|very much|in advance))?(?=[\s!.,]*$)"
)
# Marks that end a sentence are left out where they end a word; inside one they may be code, a number or a name, and
# after a digit "!" may be a factorial.
_SENTENCE_END = re.compile(r"(?:[.,?;:…]|(?<!\d)!)+(?=\s|$)")

_TO_TWENTY = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen twenty"
)
_ROUND = {"thirty": "30", "forty": "40", "fifty": "50", "hundred": "100", "thousand": "1000", "million": "1000000"}
_NUMBERS = {word: str(value) for value, word in enumerate(_TO_TWENTY.split())} | _ROUND
_KINDS: tuple[tuple[Difference, str], ...] = (
    (
        "unit",
        "mm cm m km inch inches foot feet yard yards mile miles mg g kg gram grams kilogram kilograms ounce ounces "
        "pound pounds ton tons ml l liter liters litre litres gallon gallons celsius fahrenheit kelvin b kb mb gb "
        "tb usd eur gbp dollar dollars euro euros yen rupee rupees percent kmh mph meter meters metre metres",
    ),
    ("negation", "not no never none nobody nothing neither nor without cannot except unless"),
    ("quantifier", "all any some every each both few many most several half only either least always often"),
    (
        "comparative",
        "more less fewer better worse best worst bigger smaller larger higher lower faster slower cheaper older "
        "younger longer shorter greater above below over under maximum minimum max min highest lowest than",
    ),
    (
        "time",
        "today tomorrow yesterday now before after until since during last next first second minute hour day week "
        "month year seconds minutes hours days weeks months years morning evening night monday tuesday wednesday "
        "thursday friday saturday sunday january february march april may june july august september october "
        "november december ago daily weekly monthly yearly old new previous current",
    ),
    (
        "language",
        "english german french spanish italian portuguese dutch polish russian chinese japanese korean arabic "
        "hindi turkish swedish python java javascript typescript rust go ruby php perl sql kotlin swift scala bash",
    ),
)
_CLASSES: dict[str, Difference] = {word: kind for kind, words in _KINDS for word in words.split()}


def question_words(text: str) -> list[str]:
    """The words, numbers and meaningful marks of `text`: case, courtesy and sentence ends left out."""
    plain = unicodedata.normalize("NFKC", text).casefold().strip()
    for contracted, spoken in _IRREGULAR.items():
        plain = plain.replace(contracted, spoken)
    plain = _COURTESY.sub(" ", _CONTRACTED.sub(" not", plain))
    return [_NUMBERS.get(token, token) for token in _TOKEN.findall(_SENTENCE_END.sub(" ", plain))]


def find_difference(question: str, other: str) -> Difference | None:
    """The first kind of difference between two questions' words, or None where they say the same words in order.

    What stands between backticks is compared to the letter.
    """
    words, others = question_words(question), question_words(other)
    if words == others:
        return "code" if _code_of(question) != _code_of(other) else None
    if sorted(words) == sorted(others):
        return "order"
    count, other_count = Counter(words), Counter(others)
    return _class_of(set(count - other_count) | set(other_count - count))


def _code_of(text: str) -> list[str]:
    """Whatever stands between backticks, to the letter."""
    return re.findall(r"`+([^`]*)`+", text)


def _class_of(differing: set[str]) -> Difference:
    """The kind of the most telling of the differing words; `word` where none is known (a name, or any other word)."""
    kinds = {_kind_of(word) for word in differing}
    return next((kind for kind in _RANKED if kind in kinds), "word")


def _kind_of(word: str) -> Difference:
    if word[0].isdigit():
        return "number"
    if not word[0].isalpha():
        return "code"
    return _CLASSES.get(word, "word")
