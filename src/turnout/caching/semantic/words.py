"""What a question says, by its words alone: courtesy, case and sentence ends left out, one word for one thing."""

from __future__ import annotations

import hashlib
import re
import unicodedata
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from turnout.caching.semantic.lexicon import (
    AFTER_A,
    BEFORE_A,
    CLOSING,
    FRAMES,
    LONGEST_NAME,
    NEUTRAL,
    ONE_NAME,
    OPENING,
    SPOKEN,
)

# Longer texts are served by their exact words alone: they hold too much that a vector does not.
LONGEST_TEXT = 2000
# Words of a question that tell whether it is like another.
MOST_SKETCHED = 32
_TOKEN = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?|[.]?\d+(?:[.,:]\d+)*|\S")
_THOUSANDS = re.compile(r"\d{1,3}(?:,\d{3})+")
_QUOTED = re.compile(r"`+([^`]*)`+")
# What is code by its looks is compared to the letter: flags, calls, brackets, variables, paths.
_CODE = re.compile(r"--?[A-Za-z][\w-]*$|.*[_(){}\[\]<>=$\\|&~^*#@/]")
# After the end of a sentence alone: there it is nothing that is asked for.
_SMILE = re.compile(r"(?<=[.?!])(?:\s+[:;]-?[)D])+\s*$")
_EDGES = " \t\r\n-–—,.?;:…🙏👋🙂😊\ufe0f"


@dataclass(frozen=True, slots=True)
class Question:
    """words: all of them, in order. content: those that tell what is asked, one word for one thing, in order. digest:
    16 bytes that stand for the content.

    code: what looks like code, to the letter. names, plain: the words with a capital inside a sentence, and those
    without one; both empty where the text's case tells nothing.
    """

    words: tuple[str, ...]
    content: tuple[str, ...]
    code: tuple[str, ...]
    names: frozenset[str]
    plain: frozenset[str]
    digest: bytes = b""


@lru_cache(maxsize=4096)
def question_of(text: str) -> Question:
    """Reads the text, of at most LONGEST_TEXT characters."""
    text = _SMILE.sub("", unicodedata.normalize("NFKC", text).replace("’", "'"))
    plain = _without_courtesy(text)
    words = tuple(_spoken(_TOKEN.findall(plain)))
    content = tuple(_content(words))
    digest = hashlib.blake2b("\0".join(content).encode("utf-8", "surrogatepass"), digest_size=16).digest()
    return Question(words, content, _code(text), *_names(text, plain), digest)


def sketch(content: Iterable[str]) -> bytes:
    """Four bytes a word, the same in every process: of a long question those of 32 words, which stand for all."""
    hashes = sorted({zlib.crc32(word.encode("utf-8", "surrogatepass")) for word in content})
    return b"".join(each.to_bytes(4, "big") for each in hashes[:MOST_SKETCHED])


def _without_courtesy(text: str) -> str:
    plain = " ".join(_bare_end(chunk) for chunk in text.casefold().split())
    # More courtesy than that is no courtesy.
    for _ in range(8):
        bare = _trimmed(plain)
        if found := OPENING.match(bare):
            bare = bare[found.end() :]
        if found := CLOSING.search(bare):
            bare = bare[: found.start()]
        bare = _trimmed(bare)
        if not bare or bare == plain:
            # A text of nothing but courtesy stays what it is.
            return bare or plain
        plain = bare
    return plain


def _trimmed(text: str) -> str:
    # Of a flag or a negative number the dash stays.
    start = text.lstrip(_EDGES)
    if start != text and text[: len(text) - len(start)].endswith(("-", ".")):
        start = text[len(text) - len(start) - 1 :]
    return start.rstrip(_EDGES)


def _bare_end(chunk: str) -> str:
    """Without the marks that end a sentence; "!" after a digit may be a factorial."""
    while chunk:
        bare = chunk.rstrip(".,?;:…")
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


def _content(words: tuple[str, ...]) -> list[str]:
    frame = next((frame for frame in FRAMES if words[: len(frame)] == frame), ())
    rest = (*(("how", "to") if frame else ()), *words[len(frame) :])
    content: list[str] = []
    place = 0
    while place < len(rest):
        word, length = rest[place], 1
        if word in NEUTRAL and not _is_telling(rest, place):
            place += 1
            continue
        name: tuple[str, ...] = (word,)
        for count in range(min(LONGEST_NAME, len(rest) - place), 0, -1):
            if (known := ONE_NAME.get(rest[place : place + count])) is not None:
                name, length = known, count
                break
        content.extend(name)
        place += length
    return content


def _is_telling(words: tuple[str, ...], place: int) -> bool:
    """Whether this neutral word says something here: "a few", "vitamin a", "what does it do"."""
    word, after = words[place], words[place + 1 : place + 2]
    if word != "a":
        return word in ("do", "does") and not after
    return not after or after[0] in AFTER_A or (place > 0 and words[place - 1] in BEFORE_A)


def _beginning(chunks: list[str], bare: str) -> int:
    """Which of them is the first of the bare text."""
    first = bare.partition(" ")[0]
    return next((place for place, chunk in enumerate(chunks) if _bare_end(chunk.casefold()).lstrip(_EDGES) == first), 0)


def _code(text: str) -> tuple[str, ...]:
    chunks = (_bare_end(chunk) for chunk in text.split())
    return (*_QUOTED.findall(text), *(chunk for chunk in chunks if _CODE.match(chunk)))


def _names(text: str, bare: str) -> tuple[frozenset[str], frozenset[str]]:
    """The words with and without a capital, but for those that begin a sentence or the bare text, which is without
    courtesy. A text all in capitals, without any, or with one at each word tells neither."""
    names: set[str] = set()
    plain: set[str] = set()
    chunks = text.split()
    start = _beginning(chunks, bare)
    begins = True
    for place, chunk in enumerate(chunks):
        begins = begins or place == start
        word = chunk.strip("\"'()“”.,?;:!…")
        if word[:1].isalpha() and not begins and word != "I" and not word.startswith("I'"):
            (names if word[0].isupper() else plain).add(word.casefold())
        begins = chunk[-1] in ".?!:"
    cased = bool(names) and bool(plain)
    lower = bool(plain) and not names and chunks[start].strip("\"'(“")[:1].isupper()
    return (frozenset(names), frozenset(plain)) if cased or lower else (frozenset(), frozenset())
