"""Cuts a text into the tokens of a static embedding: the mean of their vectors times a weight vector is the mean of
one weight a token, so what was learnt from an embedding is served without it.

The longest token that fits is taken, piece by piece (a word with the blank before it, a run of digits or of marks).
Training and serving cut alike, which the tokenizer that the embedding was made with need not.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import accumulate, chain, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from turnout.telemetry.remembered import Remembered, Value

# Bytes read at each end of a long text; more of it moved no file's figures.
END_BYTES = 1_000
# Pieces whose tokens are remembered at a time, and how long one is at most, in bytes: some 5 MB when full.
REMEMBERED = 20_000
LONGEST_REMEMBERED = 32
Floats = NDArray[np.float64]
_PIECE = re.compile(rb" ?[A-Za-z\x80-\xff]+| ?[0-9]+| ?[^\sA-Za-z0-9\x80-\xff]+|\n")


class Vocabulary:
    """tokens: distinct byte strings, none empty; a word's first one begins with a blank. remembered: most pieces."""

    def __init__(self, tokens: Sequence[bytes], *, remembered: int = REMEMBERED) -> None:
        self._place = {token: place for place, token in enumerate(tokens)}
        # By its first two bytes, how long a token can be: most beginnings are tried but a few times.
        self._longest: dict[bytes, int] = {}
        for token in self._place:
            self._longest[token[:2]] = max(len(token), self._longest.get(token[:2], 1))
        self._remembered = _Remembered(self.cut, remembered)

    def read(self, data: bytes) -> list[int]:
        """The places of the text's tokens. It begins as if after a blank; a byte that no token tells is left out."""
        return list(chain.from_iterable(map(self._remembered.__getitem__, pieces(data))))

    def cut(self, piece: bytes) -> tuple[int, ...]:
        """The places of one piece's tokens: the longest that fits, then on from its end."""
        places, start, end = [], 0, len(piece)
        while start < end:
            stop = min(end, start + self._longest.get(piece[start : start + 2], 1))
            while stop > start and (place := self._place.get(piece[start:stop])) is None:
                stop -= 1
            if stop > start and place is not None:
                places.append(place)
            start = max(stop, start + 1)
        return tuple(places)


def pieces(data: bytes) -> list[bytes]:
    """The words with the blank before them, runs of digits and of marks that are cut, each by itself."""
    if len(data) > 2 * END_BYTES:
        data = data[:END_BYTES] + b"\n" + data[-END_BYTES:]
    return _PIECE.findall(b" " + data)


class _Remembered(Remembered[bytes, Value]):
    """What was computed of pieces that were cut before, but for long ones: of those hardly any comes back."""

    def __missing__(self, piece: bytes) -> Value:
        return super().__missing__(piece) if len(piece) <= LONGEST_REMEMBERED else self.compute(piece)


class Meaning:
    """One weight for each token of a static embedding. Raises KeyError or ValueError for arrays that do not fit."""

    def __init__(self, arrays: Mapping[str, Any]) -> None:
        tokens = unpack_tokens(arrays)
        self._weights: Floats = arrays["meaning"].astype(np.float64)
        if self._weights.shape != (len(tokens),):
            raise ValueError("its tokens have not one weight each")
        self._vocabulary = Vocabulary(tokens)
        self._remembered = _Remembered(self._sum, REMEMBERED)

    def gain(self, data: bytes) -> float:
        """The mean of the tokens' weights; 0 without tokens."""
        total = sum(map(self._remembered.__getitem__, pieces(data)), 0j)
        return total.real / total.imag if total else 0.0

    def _sum(self, piece: bytes) -> complex:
        """A piece's weights and, as the imaginary part, its tokens, so that both are summed up in one pass."""
        places = self._vocabulary.cut(piece)
        return complex(float(self._weights[list(places)].sum()), len(places))

    def strongest(self, data: bytes) -> bytes:
        """The word that does most for the gain to be what it is, whichever way; empty without tokens."""
        gain, sums = self.gain(data), defaultdict[bytes, float](float)
        for piece in pieces(data):
            sums[piece.strip()] += self._remembered[piece].real
        return max(sums, key=lambda word: sums[word] * gain, default=b"")


def packed(tokens: Sequence[bytes]) -> dict[str, NDArray[Any]]:
    """The tokens as a scorer file holds them: their bytes in a row, and the length of each."""
    lengths = np.array([len(token) for token in tokens], dtype=np.uint8)
    return {"token_bytes": np.frombuffer(b"".join(tokens), np.uint8), "token_lengths": lengths}


def unpack_tokens(arrays: Mapping[str, NDArray[Any]]) -> list[bytes]:
    """The tokens of a scorer file. Raises ValueError for arrays that do not fit together."""
    whole, lengths = arrays["token_bytes"].tobytes(), [int(length) for length in arrays["token_lengths"]]
    if sum(lengths) != len(whole) or min(lengths, default=0) < 1:
        raise ValueError("the lengths of its tokens do not add up")
    tokens = [whole[start:end] for start, end in pairwise(accumulate(lengths, initial=0))]
    if len(set(tokens)) != len(tokens):
        raise ValueError("it holds a token twice")
    return tokens
