"""JSON and Python's literals as values, bounded in depth: what is nested deeper is no log, and would end the reader."""

from __future__ import annotations

import ast
import json
import math
import re
import warnings
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

# Far more than conversations and tools' schemas nest, and far less than functions that look into them can follow.
DEEPEST = 100
# Parsed as Python, a text takes a hundred times its own size.
LONGEST = 1 << 20
_TEXTS = re.compile(r"'[^'\\]*(?:\\.[^'\\]*)*'|\"[^\"\\]*(?:\\.[^\"\\]*)*\"", re.S)
# What is left of a literal without its texts, a NUL each; a sign stands before a number alone.
_BARE = re.compile(
    r"(?:[\s,:\[\]{}()\0]|True|False|None|true|false|null|[+-]?(?:\d[\d.]*(?:[eE][+-]?\d+)?|nan|inf)\b)*"
)
# Python reads two texts beside each other as one; in a log a quote is missing there.
_TWO_TEXTS = re.compile(r"\0\s*\0")
_WORDS = {"nan": math.nan, "inf": math.inf, "true": True, "false": False, "null": None}
_NO_COMMA = re.compile(r"\}\s*\n\s*\{")


def json_value(text: str) -> Any:
    """As json.loads. Raises ValueError."""
    try:
        value = json.loads(text)
    except RecursionError:
        raise ValueError("nested too deep") from None
    if is_too_deep(value, text):
        raise ValueError("nested too deep")
    return value


def is_too_deep(value: Any, text: str) -> bool:
    """Whether the value that this text holds is nested deeper than DEEPEST."""
    # Most texts hold fewer brackets than that, and need not be looked into.
    if text.count("{") + text.count("[") <= DEEPEST:
        return False
    level = [value]
    for _ in range(DEEPEST):
        level = [inner for each in level if isinstance(each, dict | list) for inner in _within(each)]
    return bool(level)


def _within(value: Any) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value


def python_value(text: str) -> Any:
    """The object or the list that a text holds as Python writes it, `{'a': None}`, or JavaScript; also where numpy left
    the commas out between objects. None where it holds none."""
    bare = _TEXTS.sub("\0", text) if len(text) <= LONGEST else "?"
    if bare[:1] not in ("{", "[") or _TWO_TEXTS.search(bare) or not _BARE.fullmatch(bare):
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)
        for candidate in (text, _NO_COMMA.sub("}, {", text)):
            with suppress(ValueError, SyntaxError, RecursionError, MemoryError):
                tree = ast.fix_missing_locations(_Words().visit(ast.parse(candidate, mode="eval")))
                value = ast.literal_eval(tree)
                return None if is_too_deep(value, text) else value
    return None


class _Words(ast.NodeTransformer):
    """Reads what Python has no literal for."""

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return ast.Constant(_WORDS[node.id]) if node.id in _WORDS else node
