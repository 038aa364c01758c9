"""An entry's bytes: the body as it is sent, who gave it, smaller where that pays; foreign bytes are no entry."""

from __future__ import annotations

import pytest

from turnout.caching.entries import COMPRESS_ABOVE, StoredAnswer, UnpackedAnswers, pack, unpack
from turnout.records import Decision, Usage

DECISION = Decision(
    tier="expensive",
    reason="scored",
    candidates=("openai/b", "openai/a"),
    score=0.8312,
    expected_gain=-0.1,
    threshold=0.5,
    novelty=0.25,
    tag="/ask",
    scorer_version="v1",
)


def _answer(body: bytes) -> StoredAnswer:
    usage = Usage(prompt_tokens=7, completion_tokens=4, cached_tokens=2, estimated=True)
    return StoredAnswer(body=body, decision=DECISION, tier="cheap", model="openai/a", usage=usage)


@pytest.mark.parametrize("size", [0, 1, COMPRESS_ABOVE, COMPRESS_ABOVE + 1, 200_000])
def test_what_comes_out_is_what_went_in(size: int) -> None:
    """To the byte and to the last field, compressed or not."""
    answer = _answer(b'{"a":"\xe2\x82\xac"}'.ljust(size, b"x")[:size])
    assert unpack(pack(answer)) == answer


def test_large_bodies_are_compressed_and_small_ones_are_a_copy() -> None:
    """So a hit of an ordinary answer inflates nothing."""
    small, large = b"word " * 100, b"word " * 2000
    assert small in pack(_answer(small))
    assert len(pack(_answer(large))) < len(large) / 4


@pytest.mark.parametrize("spoil", [lambda p: b"", lambda p: p[:9], lambda p: b"XX" + p[2:], lambda p: p[:40]])
def test_foreign_or_damaged_bytes_are_no_entry(spoil: object) -> None:
    """They are a miss, not an error; another version's too."""
    packed = pack(_answer(b"{}" * 4000))
    assert callable(spoil)
    assert unpack(spoil(packed)) is None
    assert unpack(packed[:2] + b"\x63" + packed[3:]) is None
    assert unpack(packed[:-20]) is None


def test_what_is_kept_unpacked_is_bounded_by_its_bytes() -> None:
    """However well it deflates: repetitive answers take no more than the bound, one too large nothing."""
    kept = UnpackedAnswers(max_bytes=200_000)
    for number in range(1000):
        answer = _answer(b"%06d" % number + b" ha" * 10_000)
        assert kept.get(pack(answer)) == answer
        assert 0 < kept.bytes <= 200_000
    before = kept.bytes
    assert kept.get(pack(_answer(b"ha " * 1_000_000))) is not None
    assert kept.bytes == before


def test_an_answer_asked_for_again_is_unpacked_once() -> None:
    """The very object is shared."""
    kept, packed = UnpackedAnswers(), pack(_answer(b"{}" * 4000))
    assert kept.get(packed) is kept.get(packed)
