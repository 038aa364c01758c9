"""The cut of a text into an embedding's tokens: the longest first, whatever the text, remembered within bounds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.routing.tokens import END_BYTES, LONGEST_REMEMBERED, Meaning, Vocabulary, packed, unpack_tokens

TOKENS = (b" the", b" th", b"e", b" ", b"cat", b"c", b"a", b"t", b"s", b"1", b"!!", b"!", b"\n", "é".encode())


def tokens_of(text: str) -> list[bytes]:
    """The tokens of a text, as bytes."""
    return [TOKENS[place] for place in Vocabulary(TOKENS).read(text.encode())]


def test_the_longest_token_that_fits_is_taken() -> None:
    """A word begins with its blank, also the text's first; a piece that is no token is cut on."""
    assert tokens_of("the cats") == [b" the", b" ", b"cat", b"s"]
    assert tokens_of("11!!!\né") == [b" ", b"1", b"1", b"!!", b"!", b"\n", "é".encode()]
    assert tokens_of("thcat") == [b" th", b"cat"]


def test_what_no_token_tells_is_left_out() -> None:
    """Bytes unknown to the embedding, and a text of nothing else."""
    assert tokens_of("xcat") == [b" ", b"cat"]
    assert Vocabulary((b"a",)).read(b"") == []


def test_a_long_text_is_read_at_its_ends() -> None:
    """As many tokens as its ends hold, and its last words among them."""
    places = Vocabulary(TOKENS).read(b"a" * 100_000 + b"s")
    assert len(places) == 2 * END_BYTES + 2
    assert TOKENS[places[-1]] == b"s"


def test_pieces_are_remembered_within_bounds() -> None:
    """So many at a time, and none that is long, whatever is read; all are told alike."""
    vocabulary = Vocabulary(TOKENS, remembered=10)
    text = b" ".join(b"a" * count for count in range(1, 60))
    for _ in range(2):
        assert vocabulary.read(text) == Vocabulary(TOKENS).read(text)
        assert 0 < len(vocabulary._remembered) <= 10
        assert max(map(len, vocabulary._remembered)) <= LONGEST_REMEMBERED


def test_the_word_that_does_most_for_the_gain_is_named() -> None:
    """All its tokens and all times that it stands there together; of a falling gain the one that lowers it most."""
    weights = dict.fromkeys(TOKENS, 0.0) | {b"cat": 0.3, b"c": 0.4, b"e": -0.3, b" the": -0.2}
    meaning = Meaning({**packed(TOKENS), "meaning": np.array([weights[token] for token in TOKENS])})
    assert meaning.gain(b"the cat cat c") > 0
    assert meaning.strongest(b"the cat cat c") == b"cat"
    assert meaning.gain(b"the the eee cat") < 0
    assert meaning.strongest(b"the the eee cat") == b"eee"
    assert Meaning({**packed((b"a",)), "meaning": np.ones(1)}).strongest(b"") == b""


@given(st.binary(max_size=300))
def test_any_bytes_are_cut_alike_twice(data: bytes) -> None:
    """Nothing raises, and what is remembered is what was cut."""
    vocabulary = Vocabulary(TOKENS)
    assert vocabulary.read(data) == vocabulary.read(data) == Vocabulary(TOKENS).read(data)


def test_packed_tokens_come_back() -> None:
    """The same, in the same order."""
    assert unpack_tokens(packed(TOKENS)) == list(TOKENS)


def test_damaged_tokens_are_refused() -> None:
    """Lengths that do not add up, an empty token, one twice."""
    good = packed(TOKENS)
    cut = {**good, "token_bytes": good["token_bytes"][:-1]}
    empty = packed((b"a", b""))
    for arrays in (cut, empty):
        with pytest.raises(ValueError, match="add up"):
            unpack_tokens(arrays)
    with pytest.raises(ValueError, match="twice"):
        unpack_tokens({"token_bytes": np.frombuffer(b"aa", np.uint8), "token_lengths": np.array([1, 1], np.uint8)})
