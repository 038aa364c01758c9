"""Values that break things, and how they get into a JSON tree. All chance comes from the Random that is handed in."""

from __future__ import annotations

import json
from random import Random
from typing import Any

# A token that json.dumps cannot write is put in as this mark and replaced in the bytes.
_RAW = "\x00raw:"
_TOKENS = ("NaN", "Infinity", "-Infinity", "1e999", "-0", "1E400", "9" * 400, "0.1e-999", "01", "tru", "'x'", "")
_WORDS = (
    "", " ", "\u0000", "\u2028", "\u202e", "\ufeff", "a" * 5000, "\ufdfa" * 300, "a" + "\u0301\u0316" * 300, "🏳️‍🌈",
    "data: [DONE]\n\n", "\r\n\r\nHTTP/1.1 200 OK", "../../etc/passwd", "{{7*7}}", "%s%n", "<script>", "null", "auto",
    "cheap", "user", "system", "tool", "http://127.0.0.1:1/", "file:///etc/passwd", "data:image/png;base64,!!",
)  # fmt: skip
_NUMBERS = (0, -1, 1, 2, 1.5, -0.0, 1e308, -1e308, 5e-324, 2**31, 2**53 + 1, 2**63, 2**64, 10**30, -(10**30))


def odd(rng: Random) -> Any:
    """One value that was not expected."""
    match rng.randrange(9):
        case 0:
            return rng.choice((None, True, False))
        case 1 | 2:
            return rng.choice(_NUMBERS)
        case 3 | 4:
            return rng.choice(_WORDS)
        case 5:
            return rng.choice(([], {}, [[]], [None], {"": None}, [{}], {"a": {"b": {}}}, [1, "a", None]))
        case 6:
            return _nested(rng.choice((3, 40, 200)), rng.random() < 0.5)
        case 7:
            return "\ud800" if rng.random() < 0.5 else "a\udfff"
        case _:
            return _RAW + rng.choice(_TOKENS)


def _nested(depth: int, as_list: bool) -> Any:
    tree: Any = "x"
    for _ in range(depth):
        tree = [tree] if as_list else {"a": tree}
    return tree


def mutate(tree: Any, rng: Random, keys: tuple[str, ...]) -> Any:
    """A copy of the tree with one thing changed: a value replaced, a key gone, renamed, doubled or added."""
    # Not copy.deepcopy: that takes two frames a level, and what was put in before may be deep.
    tree = json.loads(json.dumps(tree))
    places = list(_places(tree))
    if not places:
        return odd(rng)
    holder, key = rng.choice(places)
    match rng.randrange(6):
        case 0 | 1:
            holder[key] = odd(rng)
        case 2:
            del holder[key]
        case 3 if isinstance(holder, dict):
            holder[rng.choice(keys)] = holder.pop(key)
        case 4 if isinstance(holder, list):
            holder.extend(json.loads(json.dumps(holder[key])) for _ in range(rng.choice((1, 1, 3, 200))))
        case _:
            if isinstance(holder, dict):
                holder[rng.choice(keys)] = odd(rng)
            else:
                holder.insert(key, odd(rng))
    return tree


def _places(tree: Any) -> Any:
    """Each (container, key or index) below the root."""
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield tree, key
            yield from _places(value)
    elif isinstance(tree, list):
        for index, value in enumerate(tree):
            yield tree, index
            yield from _places(value)


def encode(tree: Any, rng: Random) -> bytes:
    """As JSON, in one of its spellings, raw tokens put in; surrogates as their escapes."""
    ascii_only = rng.random() < 0.7
    text = json.dumps(tree, ensure_ascii=ascii_only, separators=rng.choice(((",", ":"), (", ", ": "))))
    content = text.encode("utf-8", "surrogatepass")
    for spelled in (json.dumps(_RAW)[1:-1].encode(), _RAW.encode()):
        while (start := content.find(b'"' + spelled)) >= 0:
            end = content.find(b'"', start + 1 + len(spelled))
            content = content[:start] + content[start + 1 + len(spelled) : end] + content[end + 1 :]
    return content


def damage(content: bytes, rng: Random) -> bytes:
    """One thing wrong with the bytes themselves."""
    at = rng.randrange(len(content) + 1)
    match rng.randrange(7):
        case 0:
            return content[:at]
        case 1:
            return content[:at] + bytes([rng.randrange(256)]) + content[at + 1 :]
        case 2:
            return content[:at] + rng.choice((b"\xff\xfe", b"\x00", b"\xed\xa0\x80", b"\xc0\x80", b"\n")) + content[at:]
        case 3:
            return b"\xef\xbb\xbf" + content
        case 4:
            return content + rng.choice((b"}", b" " * 1000, b"\x00", content))
        case 5:
            return rng.choice((b"", b"null", b"[]", b"0", b'""', b"{}", b"[" * 5000, b'{"a":' * 5000, b"\x1f\x8b\x08"))
        case _:
            return content[at:]
