"""The static embedding that gives a word unseen in the logs the weight of those that mean the like.

Taken from the wordllama package where it is installed (the extra `semantic`); asked at training alone, for a scorer
file keeps one weight a token. 256 numbers a token, 32,000 tokens, no network.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from turnout.errors import LogError
from turnout.install_line import install_line
from turnout.routing.features import Floats
from turnout.routing.tokens import Vocabulary

PACKAGE = "wordllama"
# How wordllama's tokenizer writes the blank before a word, and a byte that has no token of its own.
_BLANK = "▁"
_BYTE = 6


@dataclass(frozen=True)
class Embedding:
    """name: which and which version. tokens: distinct, [n]; vectors: [n, dimensions]."""

    name: str
    tokens: tuple[bytes, ...]
    vectors: Floats = field(repr=False)

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """What cuts a text into these tokens."""
        return Vocabulary(self.tokens)


def installed() -> Embedding | None:
    """The embedding of the package, where it is installed."""
    return load_embedding() if find_spec(PACKAGE) else None


def load_embedding() -> Embedding:
    """The embedding. Raises LogError, which tells what to install, where its package is missing."""
    try:
        import wordllama
    except ImportError as error:
        needed = f"{install_line('semantic')}, or train without an embedding"
        raise LogError(f"the package {PACKAGE} is not installed: {needed}") from error
    # Its own look-up of the tokenizer's file misses the folder and asks the network.
    own = Path(wordllama.__file__).parent
    model = wordllama.WordLlama.load(cache_dir=own, disable_download=True)
    places: dict[bytes, int] = {}
    for token, place in sorted(model.tokenizer.get_vocab().items(), key=lambda item: item[1]):
        key = _key(token)
        if key:
            # The later one: a character's own token rather than its byte's.
            places[key] = place
    vectors = np.asarray(model.embedding, dtype=np.float64)[list(places.values())]
    return Embedding(f"{PACKAGE} {metadata.version(PACKAGE)}", tuple(places), vectors)


def _key(token: str) -> bytes:
    """The bytes that the token stands for; none for a mark such as <s>."""
    if token.startswith("<0x") and len(token) == _BYTE:
        return bytes([int(token[3:5], 16)])
    if token.startswith("<") and token.endswith(">") and len(token) > 2 and token[1:-1].strip("/").isalpha():
        return b""
    return token.replace(_BLANK, " ").encode("utf-8")
