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
    if len(body) > limit:
        # An escaped quote is part of a text. So is, here, what ends a text whose last character is a backslash.
        _check_strings((body.count(b'"') - body.count(b'\\"')) // 2, limit)
    if _weigh(body) <= limit:
        return
    bare = body.replace(b"\\\\", b"").replace(b'\\"', b"")
    _check_strings(bare.count(b'"') // 2, limit)
    weight = _weigh(b"".join(bare.split(b'"')[::2]))
    if weight > limit:
        raise TooLarge(
            f"the body's values outside texts count as {weight} bytes, which is more than {limit}: "
            f"each object and array counts as {NESTED_WEIGHT}"
        )


def _check_strings(strings: int, limit: int) -> None:
    if STRING_WEIGHT * strings > limit:
        raise TooLarge(f"the body holds {strings} strings, which take more than {limit} bytes beside their texts")


def _weigh(structure: bytes) -> int:
    return NESTED_WEIGHT * count_nested(structure) + structure.count(b",")
