"""OpenAI's embeddings: the request from bytes to a checked value, and the answer made of packed vectors. Pure.

Field names and types: the OpenAI API reference, "Create embeddings".
"""

from __future__ import annotations

import sys
from array import array
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from turnout.errors import InvalidRequest, TooLarge
from turnout.openai.answers import Body, dumps
from turnout.openai.extension import check_extension
from turnout.openai.requests import PARAMETERS, decode
from turnout.records import Outcome, Usage

# A text, or the tokens of one.
Input = str | tuple[int, ...]
# OpenAI's own bound.
MOST_INPUTS = 2048
# OpenAI's own bound for all texts of a request together. Each number costs time of its own.
MOST_TOKENS = 300_000
# What shapes the vectors beside the model; `input_type` is how Cohere, Voyage and others tell a query from a document.
_SHAPING = frozenset({"dimensions", "input_type"})
_FIELDS = frozenset({"input", "model", "encoding_format", "turnout"})
_SINGLE, _DOUBLE = b"f", b"d"


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingRequest:
    """A checked request. params: `dimensions`, `input_type` and `user`. encoded: vectors are answered as base64."""

    inputs: tuple[Input, ...]
    model: str
    params: Mapping[str, Any] = field(default_factory=dict)
    extension: Mapping[str, Any] = field(default_factory=dict)
    encoded: bool = False

    @property
    def shaping(self) -> Mapping[str, Any]:
        """The parameters that the vectors depend on."""
        return {name: value for name, value in self.params.items() if name in _SHAPING}


def parse_embedding(body: bytes, *, max_params_bytes: int | None = None) -> EmbeddingRequest:
    """The request in this body. max_params_bytes: the most that may stand outside its texts, by their number. Raises
    InvalidRequest, whose `param` names the field that is wrong, and TooLarge."""
    return embedding_from(decode(body, max_params_bytes=max_params_bytes))


def embedding_from(value: Mapping[str, Any]) -> EmbeddingRequest:
    """The request in this mapping, as it would stand in a body. Raises InvalidRequest."""
    given = {name: item for name, item in value.items() if item is not None}
    params = {name: item for name, item in given.items() if name not in _FIELDS}
    for name, item in params.items():
        if problem := _problem(name, item):
            raise InvalidRequest(f"{name[:40]} {problem}", param=name)
    model, form = given.get("model", "auto"), given.get("encoding_format", "float")
    if not isinstance(model, str):
        raise InvalidRequest("model must be a text", param="model")
    if form not in ("float", "base64"):
        raise InvalidRequest('encoding_format must be "float" or "base64"', param="encoding_format")
    extension = given.get("turnout", {})
    if not isinstance(extension, Mapping):
        raise InvalidRequest("turnout must be an object", param="turnout")
    return EmbeddingRequest(
        inputs=_inputs(given.get("input")),
        model=model,
        params=params,
        extension=check_extension(extension),
        encoded=form == "base64",
    )


def _problem(name: str, value: Any) -> str | None:
    if name == "dimensions":
        return PARAMETERS["max_tokens"](value)
    if name in ("user", "input_type"):
        return PARAMETERS["user"](value)
    return "is no parameter of embeddings here"


def _check_number(value: Any) -> None:
    """Raises TooLarge for more tokens than are looked at."""
    if not isinstance(value, list):
        return
    if len(value) > MOST_TOKENS or sum(len(item) for item in value if isinstance(item, list)) > MOST_TOKENS:
        raise TooLarge(f"input holds more than {MOST_TOKENS} tokens")


def _inputs(value: Any) -> tuple[Input, ...]:
    _check_number(value)
    if isinstance(value, str) or _are_tokens(value):
        value = [value]
    if not isinstance(value, list | tuple) or not value:
        raise InvalidRequest("input must be a text, or a non-empty array of texts or of tokens", param="input")
    if len(value) > MOST_INPUTS:
        raise InvalidRequest(f"input may hold {MOST_INPUTS} texts at most, not {len(value)}", param="input")
    return tuple(_input(item, f"input[{index}]" if len(value) > 1 else "input") for index, item in enumerate(value))


def _input(item: Any, where: str) -> Input:
    if isinstance(item, str) and item:
        return item
    if _are_tokens(item):
        return tuple(item)
    raise InvalidRequest(f"{where} must be a text that is not empty, or an array of tokens", param=where)


def _are_tokens(value: Any) -> bool:
    return isinstance(value, list | tuple) and bool(value) and all(type(item) is int for item in value)


def pack_vector(values: Sequence[float]) -> bytes:
    """The vector as bytes, single precision where that loses nothing, as with every provider that computes so."""
    single = array("f", values)
    exact = single.tolist() == list(values)
    return _SINGLE + _little(single) if exact else _DOUBLE + _little(array("d", values))


def unpack_vector(packed: bytes) -> list[float]:
    """The numbers of a packed vector."""
    values: array[float] = array("f" if packed[:1] == _SINGLE else "d", packed[1:])
    if sys.byteorder == "big":
        values.byteswap()
    return list(values)


def _little(values: array[float]) -> bytes:
    if sys.byteorder == "big":
        values.byteswap()
    return values.tobytes()


def _encoded(packed: bytes) -> str:
    """As OpenAI encodes: single precision, little-endian, base64."""
    single = packed[1:] if packed[:1] == _SINGLE else _little(array("f", unpack_vector(packed)))
    return b64encode(single).decode()


def decoded(text: str) -> list[float]:
    """The numbers of a vector as OpenAI encodes it. Raises ValueError."""
    return unpack_vector(_SINGLE + b64decode(text, validate=True))


class Embeddings:
    """The vectors of the texts that were asked for, in their order. `usage` counts what was asked of the model now, and
    `outcome` says who answered and at what cost."""

    __slots__ = ("_packed", "_vectors", "model", "outcome")

    def __init__(self, packed: Sequence[bytes], model: str, outcome: Outcome) -> None:
        self._packed = packed
        self._vectors: list[list[float]] | None = None
        self.model = model
        self.outcome = outcome

    def __repr__(self) -> str:
        return f"Embeddings(model={self.outcome.model!r}, vectors={len(self._packed)})"

    def __len__(self) -> int:
        return len(self._packed)

    @property
    def vectors(self) -> list[list[float]]:
        """One vector a text."""
        if self._vectors is None:
            self._vectors = [unpack_vector(packed) for packed in self._packed]
        return self._vectors

    @property
    def vector(self) -> list[float]:
        """The first text's."""
        return self.vectors[0]

    @property
    def usage(self) -> Usage:
        return self.outcome.usage

    def to_openai(self, *, encoded: bool = False) -> Body:
        """OpenAI's list of embeddings. encoded: each vector as base64."""
        vectors: Sequence[Any] = [_encoded(packed) for packed in self._packed] if encoded else self.vectors
        tokens = self.usage.prompt_tokens
        return {
            "object": "list",
            "data": [{"object": "embedding", "index": at, "embedding": vector} for at, vector in enumerate(vectors)],
            "model": self.model,
            "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
        }

    def body(self, *, encoded: bool) -> bytes:
        """The same as JSON."""
        return dumps(self.to_openai(encoded=encoded))
