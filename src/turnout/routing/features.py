"""What the scorer reads of a request: its structure as numbers, its words and letters as hashes. One pass.

Which text, and what of the conversation around it: conversation.py.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import cached_property
from itertools import repeat
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from turnout.ports.scoring import Query
from turnout.routing import lexicon
from turnout.routing.conversation import Context, last_turn

Floats = NDArray[np.float64]
Hashes = NDArray[np.uint64]

# Part of every scorer file: a file made by other features is refused, never misread.
FEATURE_VERSION = 3

_CHARACTERS: dict[str, str] = {
    "lower": "abcdefghijklmnopqrstuvwxyz",
    "upper": "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "digit": "0123456789",
    "blank": " \t",
    "line_end": "\n",
    "comma": ",",
    "full_stop": ".",
    "question_mark": "?",
    "exclamation": "!",
    "quote": '"',
    "apostrophe": "'",
    "parenthesis": "(",
    "bracket": "[",
    "brace": "{",
    "colon": ":",
    "semicolon": ";",
    "dash": "-",
    "dollar": "$",
    "backslash": "\\",
    "caret": "^",
    "equals": "=",
    "plus": "+",
    "star": "*",
    "slash": "/",
    "less_than": "<",
    "underscore": "_",
    "backtick": "`",
    "percent": "%",
    "sign": "&|#@~",
}
_MARKS: dict[str, bytes] = {
    "paragraphs": b"\n\n",
    "indents": b"    ",
    "returns": b"return ",
    "defs": b"def ",
    "equalities": b"==",
    "fractions": b"\\frac",
    "roots": b"\\sqrt",
    "gaps": b"___",
    "code_fences": b"```",
}
_SCALARS = (
    "characters", "words", "sentences", "lines", "numbers", "capitalised", "options", "option_bytes", "stem_length",
    "last_line_bytes", "first_line_bytes", "longest_word", "longest_number", "long_words", "turns",
    "conversation_characters", "system_characters", "tools", "images",
)  # fmt: skip
_RATIOS = (
    "word_length", "words_per_sentence", "long_word_share", "distinct_word_share", "number_share",
    "capitalised_share", "ends_with_question", "begins_with_capital",
)  # fmt: skip

_CHAR_NAMES = (*_CHARACTERS, "beyond_ascii")
_DIGIT = _CHAR_NAMES.index("digit")
NAMES: tuple[str, ...] = (
    *(f"count of {name}" for name in _CHAR_NAMES),
    *(f"count of {name} words" for name in lexicon.NAMES),
    *_MARKS,
    *_SCALARS,
    *(f"share of {name}" for name in _CHAR_NAMES),
    *(f"share of {name} words" for name in lexicon.NAMES),
    *_RATIOS,
    *(f"begins with a {name} word" for name in lexicon.NAMES),
)

# Those that are logged counts; the rest are shares and yes-or-no.
COUNTED = frozenset(NAMES[: NAMES.index(f"share of {_CHAR_NAMES[0]}")])


def _classes(default: int, *classes: tuple[bytes, int]) -> bytes:
    """A table for bytes.translate: each of these bytes becomes its class."""
    table = bytearray([default]) * 256
    for members, number in classes:
        for byte in members:
            table[byte] = number
    return bytes(table)


_BEYOND_ASCII = bytes(range(128, 256))
# The place in _CHAR_NAMES that each byte counts for; what is none of them counts for the one after the last.
_CLASS_OF = _classes(
    len(_CHAR_NAMES),
    *((characters.encode(), index) for index, characters in enumerate(_CHARACTERS.values())),
    (_BEYOND_ASCII, len(_CHAR_NAMES) - 1),
)
_UPPER, _LOWER = _CHARACTERS["upper"].encode(), _CHARACTERS["lower"].encode()
# Capitals, other letters, and what is none: a capital that begins a word follows what is none.
_CASES = _classes(ord("."), (_UPPER, ord("A")), (_LOWER, ord("a")))
# What ends a sentence where a blank follows it.
_ENDS = _classes(ord("a"), (b".?!", ord(".")), (b" \t\n\r\f\v", ord(" ")))
_LEXICON = len(lexicon.NAMES)
# A word of so many bytes is a long one.
_EIGHT = 8
# Every number sorts before it, every word after it.
_AFTER_DIGITS = b":"
_WORD = re.compile(rb"[a-z\x80-\xff]+(?:'[a-z]+)?|[0-9]+")
# No word holds a blank of these: between two of them stand whole words, and nearly always one.
_SPLIT = bytes(byte if _WORD.match(bytes([byte])) or byte == ord("'") else ord(" ") for byte in range(256))
_KINDS = _classes(ord(" "), (_LOWER + _BEYOND_ASCII, ord("a")), (_CHARACTERS["digit"].encode(), ord("0")))
_OPTION = re.compile(rb"^\(?[A-Za-z0-9][).][^\n]*", re.M)
_MARK_BYTES = tuple(_MARKS.values())

# Spreads a code over 64 bits (Knuth's multiplicative hashing).
ODD = np.uint64(0x9E3779B97F4A7C15)
_STEP = np.uint64(1_000_003)
_FOLD = np.uint64(31)
# A word's code has 32 bits: a tag's goes above them.
_TAG = np.uint64(32)


@dataclass(frozen=True)
class Reading:
    """One request as numbers. `structure` is [len(NAMES)]; `data` is the text, its ends where it is
    long; `folded` the same without case; hashes are uint64, to be cut to a table's bits."""

    structure: Floats
    data: bytes
    folded: bytes
    word_codes: Hashes
    tag: str

    @cached_property
    def words(self) -> Hashes:
        """One hash a word."""
        return self.word_codes * ODD

    @cached_property
    def tagged_words(self) -> Hashes:
        """One hash a word, another one for each tag; none without a tag that is known."""
        if not self.tag:
            return np.zeros(0, np.uint64)
        return np.asarray((self.word_codes ^ (np.uint64(crc32(self.tag.encode("utf-8", "replace"))) << _TAG)) * ODD)

    @cached_property
    def letters(self) -> Hashes:
        """One hash for each four bytes that follow each other, case ignored."""
        return grams(self.folded, 4)


def grams(folded: bytes, size: int) -> Hashes:
    """A hash for each `size` bytes in a row: [max(0, len - size + 1)]."""
    data = np.frombuffer(folded, np.uint8).astype(np.uint64)
    count = len(data) - size + 1
    if count <= 0:
        return np.zeros(0, np.uint64)
    code = data[:count]
    for offset in range(1, size):
        code = code * _STEP + data[offset : offset + count]
    return np.asarray((code ^ (code >> _FOLD)) * ODD)


def words_of(folded: bytes) -> list[bytes]:
    """The words and numbers of a text without case, in their order: those of Reading.word_codes."""
    # To split is six times faster than to search, which what is not one word alone is left to.
    parts, kinds = folded.translate(_SPLIT).split(), folded.translate(_KINDS)
    if b"'" not in folded and b"a0" not in kinds and b"0a" not in kinds:
        return parts
    return [word for part in parts for word in ((part,) if part.isalpha() or part.isdigit() else _WORD.findall(part))]


def read_features(query: Query) -> Reading:
    """The reading of a request. Never raises on any text, a lone surrogate or an empty one included."""
    data, length, context = last_turn(query)
    folded = data.lower()
    words = words_of(folded)
    structure = _structure(data, length, words, context)
    codes = np.array(list(map(crc32, words)), np.uint64)
    return Reading(structure, data, folded, codes, query.tag)


def _structure(data: bytes, length: int, words: list[bytes], context: Context) -> Floats:
    size, count = max(len(data), 1), max(len(words), 1)
    classes = np.frombuffer(data.translate(_CLASS_OF), np.uint8)
    characters = np.bincount(classes, minlength=len(_CHAR_NAMES) + 1)[: len(_CHAR_NAMES)]
    kinds = bytes(map(lexicon.CATEGORY_OF.get, words, repeat(_LEXICON)))
    lexical = np.bincount(np.frombuffer(kinds, np.uint8), minlength=_LEXICON + 1)[:_LEXICON]
    lengths = np.fromiter(map(len, words), np.intp, len(words))
    long_words = int(np.count_nonzero(lengths >= _EIGHT))
    numbers = [each for each in words if each < _AFTER_DIGITS] if characters[_DIGIT] else []
    sentences = data.translate(_ENDS).count(b". ") + 1
    capitalised = (b"." + data.translate(_CASES)).count(b".A")
    options = _OPTION.findall(data)
    option_bytes = sum(map(len, options))
    line_end = data.find(b"\n")
    scalars = (
        float(length), len(words), sentences, data.count(b"\n") + 1, len(numbers), capitalised, len(options),
        option_bytes / max(len(options), 1), max(0, length - option_bytes),
        len(data) - data.rfind(b"\n") - 1, line_end if line_end >= 0 else len(data),
        int(lengths.max(initial=0)), max(map(len, numbers), default=0), long_words, *context,
    )  # fmt: skip
    counts = np.concatenate((characters, lexical, [data.count(mark) for mark in _MARK_BYTES], scalars))
    ratios = (
        float(lengths.sum()) / count, count / sentences, long_words / count, len(set(words)) / count,
        len(numbers) / count, capitalised / count, data.rstrip()[-1:] == b"?", data[:1].isupper(),
    )  # fmt: skip
    first = np.zeros(_LEXICON)
    if kinds and kinds[0] < _LEXICON:
        first[kinds[0]] = 1.0
    return np.concatenate((np.log1p(counts), characters / size, lexical / count, ratios, first))


def describe(value: float) -> str:
    """A logged count as people read it."""
    return f"{math.expm1(value):.0f}"
