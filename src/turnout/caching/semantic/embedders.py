"""Vectors of texts, as bytes: 32-bit little-endian floats of unit length."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from turnout.errors import SettingsError

WORDLLAMA = "wordllama"
INSTALL = "pip install 'turnout[semantic]'"


class WordllamaEmbedder:
    """The static embedding inside wordllama's wheel: 256 dimensions, about 50 microseconds a question, no network.

    Raises SettingsError, which tells what to install, where the package is missing.
    """

    def __init__(self) -> None:
        try:
            import wordllama
        except ImportError as error:
            raise SettingsError(f'cache.semantic.embedder = "wordllama" needs a package: {INSTALL}') from error
        # Its own look-up of the tokenizer's file misses the folder and asks the network.
        own = Path(wordllama.__file__).parent
        self._model = wordllama.WordLlama.load(cache_dir=own, disable_download=True)

    async def embed(self, text: str) -> bytes:
        return packed(self._model.embed([text])[0])

    def embed_all(self, texts: Sequence[str]) -> Any:
        """The vectors of many texts, each of unit length: [n, 256]."""
        vectors = np.asarray(self._model.embed(list(texts)), dtype=np.float32)
        return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)


class CallableEmbedder:
    """The app's own function of a text that returns numbers."""

    def __init__(self, function: Callable[[str], Sequence[float]]) -> None:
        self._function = function

    async def embed(self, text: str) -> bytes:
        return packed(self._function(text))


def packed(vector: Any) -> bytes:
    """The vector at unit length, as bytes. Raises ValueError where it has no length or is none."""
    numbers = np.asarray(vector, dtype="<f4")
    length = float(np.linalg.norm(numbers))
    if numbers.ndim != 1 or not np.isfinite(length) or length == 0.0:
        raise ValueError("an embedding is a row of numbers that are not all zero")
    return (numbers / length).astype("<f4").tobytes()
