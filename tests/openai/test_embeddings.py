"""Vectors as bytes and as OpenAI's answers."""

from __future__ import annotations

import struct
from base64 import b64decode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.openai.embeddings import decoded, embedding_from, pack_vector, unpack_vector


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=20))
def test_a_vector_comes_back_as_it_was(values: list[float]) -> None:
    """Every number exactly, in half the bytes where single precision holds it."""
    packed = pack_vector(values)
    assert unpack_vector(packed) == values


def test_single_precision_takes_half() -> None:
    """What providers send is single precision, and is kept so."""
    assert len(pack_vector([0.5, -0.25])) == 9
    assert len(pack_vector([0.1, 0.2])) == 17


def test_base64_is_openais() -> None:
    """Little-endian single precision, as the SDK decodes it."""
    assert decoded("AAAAPwAAgL4=") == [0.5, -0.25]
    assert struct.unpack("<2f", b64decode("AAAAPwAAgL4=")) == (0.5, -0.25)
    with pytest.raises(ValueError, match=r"base64|alphabet|padding|characters"):
        decoded("no base64!")


def test_tokens_are_one_input_and_arrays_of_them_several() -> None:
    """As OpenAI reads them."""
    assert embedding_from({"input": [1, 2]}).inputs == ((1, 2),)
    assert embedding_from({"input": [[1], [2]]}).inputs == ((1,), (2,))
    assert embedding_from({"input": "a"}).inputs == ("a",)
