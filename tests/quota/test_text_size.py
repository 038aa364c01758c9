"""The size of a text: never below what NFKC makes of it, and without making it."""

from __future__ import annotations

import time
import unicodedata

from hypothesis import given, settings
from hypothesis import strategies as st

from turnout.quota.text_size import utf8_bound


def utf8(text: str) -> int:
    return len(text.encode())


@settings(deadline=None)
@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=50))
def test_no_text_is_longer_than_its_bound(text: str) -> None:
    """As it is, decomposed and composed."""
    forms = (text, *(unicodedata.normalize(form, text) for form in ("NFC", "NFKC", "NFKD")))
    assert utf8_bound(text) >= max(map(utf8, forms))


def test_no_single_character_nor_pair_grows_beyond_its_bound() -> None:
    """Every code point: alone, and as what its canonical decomposition composes to."""
    for code_point in (*range(0xD800), *range(0xE000, 0x110000)):
        character = chr(code_point)
        if unicodedata.normalize("NFKC", character) != character or unicodedata.decomposition(character):
            assert utf8_bound(character) >= utf8(unicodedata.normalize("NFKC", character))
            decomposed = unicodedata.normalize("NFD", character)
            assert utf8_bound(decomposed) >= utf8(unicodedata.normalize("NFKC", decomposed))


def test_the_bound_is_no_looser_than_the_dearest_form() -> None:
    """Plain text weighs its bytes, a ligature its letters."""
    assert utf8_bound("plain") == 5
    assert utf8_bound("Grüße, 世界") == utf8("Grüße, 世界") + 1
    assert utf8_bound("\ufdfa" * 3) == 3 * utf8(unicodedata.normalize("NFKC", "\ufdfa"))


def test_marks_out_of_order_are_not_put_in_order() -> None:
    """NFKC would take ten seconds here, and minutes for a million: it sorts them by class."""
    utf8_bound("\ufdfa")
    since = time.process_time()
    assert utf8_bound("a" + "\u0301\u0316" * 50_000) == 1 + 2 * 100_000
    assert time.process_time() - since < 3.0
