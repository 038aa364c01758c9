"""What a question says, by its words alone: courtesy, case and sentence ends left out, one word for one thing."""

from __future__ import annotations

import hashlib
import re
import unicodedata
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from turnout.caching.semantic.lexicon import (
    ABBREVIATED,
    AFTER_A,
    ARTICLES,
    AUXILIARIES,
    BEFORE_A,
    CLOSING,
    FRAMES,
    KEYWORD,
    LONGEST_NAME,
    LOOPING,
    NAMING,
    NEUTRAL,
    NO_NOUN,
    OF_WORDS,
    ONE_NAME,
    OPENING,
    SAYING,
    SPELLING,
    SPOKEN,
    WISHING,
)
from turnout.caching.semantic.verbatim import code_in, handed_over

# Longer texts are served by their exact words alone: they hold too much that a vector does not.
LONGEST_TEXT = 2000
# Words of a question that tell whether it is like another.
MOST_SKETCHED = 32
_TOKEN = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?|[.]?\d+(?:[.,:]\d+)*|\S")
_THOUSANDS = re.compile(r"\d{1,3}(?:,\d{3})+")
_MARKS = ".,?;:…"
_AROUND = "\"'()“”.,?;:!…"
_SUPERSCRIPTS = str.maketrans({mark: f"^{digit}" for digit, mark in enumerate("⁰¹²³⁴⁵⁶⁷⁸⁹")})
_QUOTES = frozenset("'\"“”‘’«»`")
# A dash is part of what it stands before, or of the grade or blood group that it ends.
_SIGN = re.compile(r"[-.–—−](?=\w)")
_GRADE = re.compile(r"(?<![\w-])[a-f]{1,2}-$|(?<![\w-])o-$|\s[.][.]$")
# After the end of a sentence alone: there it is nothing that is asked for.
_SMILE = re.compile(r"(?<=[.?!])(?:\s+[:;]-?[)D])+\s*$")
_EDGES = " \t\r\n-–—,.?;:…🙏👋🙂😊\ufe0f"


@dataclass(frozen=True, slots=True)
class Question:
    """words: all of them, in order. content: those that tell what is asked, one word for one thing, in order. digest:
    16 bytes that stand for the content.

    code: what is compared to the letter. names, plain: the words with a capital inside a sentence, and those without
    one; both empty where the text's case tells nothing. auxiliaries: "be" for an "is", "do" for a "does". definite,
    indefinite: the words behind a "the", and behind an "a". short_names: names of up to three letters, as written.
    """

    words: tuple[str, ...]
    content: tuple[str, ...]
    code: tuple[str, ...]
    names: frozenset[str]
    plain: frozenset[str]
    digest: bytes = b""
    auxiliaries: frozenset[str] = frozenset()
    definite: frozenset[str] = frozenset()
    indefinite: frozenset[str] = frozenset()
    short_names: frozenset[str] = frozenset()


@lru_cache(maxsize=4096)
def question_of(text: str) -> Question:
    """Reads the text, of at most LONGEST_TEXT characters."""
    # NFKC makes 102 of 10².
    text = unicodedata.normalize("NFKC", text.translate(_SUPERSCRIPTS)).replace("’", "'")
    text = _SMILE.sub("", text)
    plain = _without_courtesy(text)
    words = tuple(_spoken(_TOKEN.findall(plain)))
    rest = _without_frame(words)
    content = tuple(_content(rest))
    auxiliaries = frozenset(AUXILIARIES[word] for word in rest if word in AUXILIARIES)
    digest = hashlib.blake2b("\0".join(content).encode("utf-8", "surrogatepass"), digest_size=16).digest()
    definite, indefinite = _after_articles(rest)
    chunks = text.split()
    start = _beginning(chunks, plain)
    asked = chunks[start : start + len(plain.split())]
    code = (*code_in(text, [_bare_end(chunk) for chunk in chunks], asked[:-1]), *handed_over(" ".join(chunks[start:])))
    names, lower = _names(chunks, start)
    bare = {chunk.strip(_AROUND) for chunk in chunks}
    short = frozenset(word for word in bare if 1 < len(word) <= 3 and word.casefold() in names and word[0].isupper())
    return Question(words, content, code, names, lower, digest, auxiliaries, definite, indefinite, short)


def sketch(content: Iterable[str]) -> bytes:
    """Four bytes a word, the same in every process: of a long question those of 32 words, which stand for all."""
    hashes = sorted({zlib.crc32(word.encode("utf-8", "surrogatepass")) for word in content})
    return b"".join(each.to_bytes(4, "big") for each in hashes[:MOST_SKETCHED])


def _without_courtesy(text: str) -> str:
    chunks = text.casefold().split()
    plain = " ".join(_bare_end(chunk, is_last=place == len(chunks)) for place, chunk in enumerate(chunks, 1))
    # More courtesy than that is no courtesy.
    for _ in range(8):
        bare = _trimmed(plain)
        if found := OPENING.match(bare):
            bare = bare[found.end() :]
        found = CLOSING.search(bare)
        # "How do I say thanks" asks for the word.
        if found and bare[: found.start()].rpartition(" ")[0].rpartition(" ")[2] not in SAYING:
            bare = bare[: found.start()]
        bare = _trimmed(bare)
        if not bare or bare == plain:
            # A text of nothing but courtesy stays what it is.
            return bare or plain
        plain = bare
    return plain


def _trimmed(text: str) -> str:
    # Of a flag or a negative number the dash stays.
    text = text.rstrip()
    start = text.lstrip(_EDGES)
    cut = len(text) - len(start)
    if cut and _SIGN.match(text, cut - 1):
        start = text[cut - 1 :]
    return start if _GRADE.search(start) else start.rstrip(_EDGES)


def _bare_end(chunk: str, *, is_last: bool = True) -> str:
    """Without the marks that end a sentence; "!" after a digit may be a factorial, and marks alone may be code."""
    if not chunk.strip(_MARKS) and (not is_last or chunk == ".."):
        return chunk
    while chunk:
        bare = chunk.rstrip(_MARKS)
        if bare.endswith("!") and not bare[-2:-1].isdigit() and bare != "!":
            bare = bare.rstrip("!")
        if bare == chunk:
            return chunk
        chunk = bare
    return chunk


def _spoken(tokens: list[str]) -> list[str]:
    words: list[str] = []
    for token in tokens:
        if _THOUSANDS.fullmatch(token):
            token = token.replace(",", "")
        words.extend(SPOKEN.get(token, (token,)))
    return words


def _without_frame(words: tuple[str, ...]) -> tuple[str, ...]:
    frame = next((frame for frame in FRAMES if words[: len(frame)] == frame), ())
    return (*(("how", "to") if frame else ()), *words[len(frame) :])


def _content(words: tuple[str, ...]) -> list[str]:
    content: list[str] = []
    place, spelling = 0, not SPELLING.isdisjoint(words)
    of_words = not OF_WORDS.isdisjoint(words)
    while place < len(words):
        word, length = words[place], 1
        if word in NEUTRAL and not of_words and not _is_telling(words, place):
            place += 1
            continue
        name: tuple[str, ...] = (word,)
        # Who asks how a word is spelt does not ask for the thing.
        for count in () if spelling else range(min(LONGEST_NAME, len(words) - place), 0, -1):
            if (known := ONE_NAME.get(words[place : place + count])) is not None:
                name, length = known, count
                break
        content.extend(name)
        place += length
    return content


def _after_articles(words: tuple[str, ...]) -> tuple[frozenset[str], frozenset[str]]:
    """Those behind "the" alone, and those behind "a" alone."""
    pairs = list(pairwise(words))
    definite = {after for word, after in pairs if word == "the"}
    indefinite = {after for word, after in pairs if word in ("a", "an")}
    return frozenset(definite - indefinite), frozenset(indefinite - definite)


def _is_telling(words: tuple[str, ...], place: int) -> bool:
    """Whether this neutral word says something here: "a few", "vitamin a", "what does it do", "7 am", "a or an"."""
    word, before, after = words[place], words[place - 1] if place else "", (*words, "")[place + 1]
    if before in _QUOTES or after in _QUOTES or before in NAMING:
        return True
    if word in AUXILIARIES and (before in AUXILIARIES or before in KEYWORD or after in LOOPING):
        # "What does is do", "how do I use do while".
        return True
    match word:
        case "just":
            # "Just rice" is no other food.
            return place > 0 and not (words[:place] == ("i",) and after in WISHING)
        case "am":
            return "i" not in (before, after)
        case "a" if after in AFTER_A or before in BEFORE_A:
            return True
        case "do" | "does" if not after:
            return True
    return word in ARTICLES and after in NO_NOUN


def _beginning(chunks: list[str], bare: str) -> int:
    """Which of them is the first of the bare text."""
    first = bare.partition(" ")[0]
    return next((place for place, chunk in enumerate(chunks) if _bare_end(chunk.casefold()).lstrip(_EDGES) == first), 0)


def _names(chunks: list[str], start: int) -> tuple[frozenset[str], frozenset[str]]:
    """The words with and without a capital, but for those that begin a sentence or the text without courtesy, which
    begins at `start`. A text all in capitals, without any, or with one at each word tells neither."""
    names: set[str] = set()
    plain: set[str] = set()
    begins = True
    for place, chunk in enumerate(chunks):
        begins = begins or place == start
        word = chunk.strip(_AROUND)
        if word[:1].isalpha() and not begins and word != "I" and not word.startswith("I'"):
            (names if word[0].isupper() else plain).add(word.casefold())
        begins = chunk[-1] in ".?!:" and chunk.casefold() not in ABBREVIATED
    cased = bool(names) and bool(plain)
    lower = bool(plain) and not names and chunks[start].strip("\"'(“")[:1].isupper()
    return (frozenset(names), frozenset(plain)) if cased or lower else (frozenset(), frozenset())
