"""How much JSON holds, counted in its bytes before it is decoded: each value costs time of its own, however short it
is, in which nothing else runs. Pure."""

from __future__ import annotations

from turnout.errors import TooLarge

# Of a provider's answer. 16,384 tokens with the 20 likeliest alternatives of each, as objects that hold their bytes in
# an array, are 700,000 objects and arrays; 300,000 tokens' worth of embeddings are fewer than 4,000,000 numbers.
MOST_NESTED = 750_000
MOST_VALUES = 4_000_000
# Bytes of a caller's parameters: an object or an array takes as long to decode as this many bytes of short numbers do.
NESTED_WEIGHT = 8
# Two quotes and a separator.
STRING_WEIGHT = 3
# How long a value outside texts may be in the mean, in bytes: long numbers take their time by their digits.
MEAN_LENGTH = 4


def is_too_much(answer: bytes) -> bool:
    """Whether a provider's answer, or an event of its stream, may hold more values than are read. What its texts hold
    counts as well: none is as long as that."""
    if len(answer) <= MOST_NESTED:
        return False
    return count_nested(answer) > MOST_NESTED or answer.count(b",") > MOST_VALUES


def count_nested(data: bytes) -> int:
    """How many objects and arrays these bytes hold at most."""
    return data.count(b"{") + data.count(b"[")


def check_values(body: bytes, limit: int) -> None:
    """Refuses a caller's body that holds more values outside texts than parameters of `limit` bytes can. Raises
    TooLarge."""
    escapes = b"\\" in body
    if len(body) > limit:
        # An escaped quote is part of a text. So is, here, what ends a text whose last character is a backslash.
        _check_strings((body.count(b'"') - (body.count(b'\\"') if escapes else 0)) // 2, limit)
    if not _weighs_more(body, limit // MEAN_LENGTH):
        return
    bare = body
    if escapes:
        bare = body.replace(b"\\\\", b"").replace(b'\\"', b"")
        _check_strings(bare.count(b'"') // 2, limit)
    outside = b"".join(bare.split(b'"')[::2])
    if _is_longer(outside, MEAN_LENGTH * limit) or _weighs_more(outside, limit):
        raise TooLarge(
            f"the body's values outside texts count as more than {limit} bytes: each object and array counts as "
            f"{NESTED_WEIGHT}, and {MEAN_LENGTH} bytes as one value at least"
        )


def _check_strings(strings: int, limit: int) -> None:
    if STRING_WEIGHT * strings > limit:
        raise TooLarge(f"the body holds {strings} strings, which take more than {limit} bytes beside their texts")


def _weighs_more(structure: bytes, limit: int) -> bool:
    """Counts no further than to the answer: each pass over a large body is time in which nothing else runs."""
    weight = structure.count(b",")
    for opening in (b"[", b"{"):
        if weight > limit:
            break
        weight += NESTED_WEIGHT * structure.count(opening)
    return weight > limit


def _is_longer(structure: bytes, limit: int) -> bool:
    """Whether it is without its blanks, which take no time to decode."""
    return len(structure) > limit and len(structure.translate(None, b" \t\r\n")) > limit
