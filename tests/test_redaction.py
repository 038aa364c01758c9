"""What hides secrets: in one line, whatever stands in it, without hiding words."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.redaction import (
    Redactor,
    may_be_secret,
    without_password,
    without_path,
    without_quotes,
    without_secrets,
)


def test_known_secrets_and_whatever_looks_like_a_key_are_hidden() -> None:
    """The longest first; a short value would hide common words, and is left."""
    redactor = Redactor(["hunter2-longer", "hunter2", "abc"])
    text = redactor.redact("hunter2-longer hunter2 abc sk-proj-123456789 Bearer xyz whsec_0123456789")
    assert text == "[key] [key] abc [key] Bearer [key] [key]"


@given(st.text(), st.integers(10, 200))
def test_a_line_is_one_line_of_bounded_length(text: str, length: int) -> None:
    """No control character of a provider's text can begin a line of its own in a log."""
    line = Redactor(["secret-value"]).line(text + "secret-value", length)
    assert len(line) <= length
    assert all(character.isprintable() for character in line)
    assert "secret-value" not in line


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("60/minute", False),
        ("Europe/Berlin", False),
        ("usr", False),
        ("redis://:x@h", True),
        ("a" * 40, True),
        ("p@ss", True),
    ],
)
def test_what_may_be_a_secret_is_not_repeated(text: str, secret: bool) -> None:
    """Plain words and short notations are."""
    assert may_be_secret(text) == secret


def test_urls_and_parameters_lose_their_secrets_and_nothing_else() -> None:
    """A URL keeps its host; parameters keep what is not named as a secret."""
    assert without_password("redis://ann:pw@host:6379/1") == "redis://ann:***@host:6379/1"
    assert without_password("redis://host/0") == "redis://host/0"
    assert without_path("https://hooks.example.org/T0/x?y=1") == "https://hooks.example.org/***"
    params = {"api_base": "http://h", "extra_headers": {"Authorization": "Bearer x"}, "aws_secret_access_key": "y"}
    hidden = {"api_base": "http://h", "extra_headers": {"Authorization": "***"}, "aws_secret_access_key": "***"}
    assert without_secrets(params) == hidden


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("flagged: my secret diary, all of it", "flagged: [...], all of it"),
        ("my secret diary", "[...]"),
        ("the model is overloaded", "the model is overloaded"),
        ("bad: secret diary\\nforged: x", "bad:[...]\\nforged: x"),
        ("never say swordfish", "never say [...]"),
    ],
)
def test_what_an_error_repeats_of_the_request_is_taken_out(text: str, line: str) -> None:
    """Whole or in part; common words stay."""
    assert without_quotes(text, ["hello", "this is my secret diary"[8:], "", "swordfish"]) == line


@pytest.mark.parametrize(("length", "number"), [(30_000_000, 1), (3, 20_000)])
def test_what_is_taken_out_of_an_error_costs_no_more_where_the_request_is_long(length: int, number: int) -> None:
    """One text of thirty million characters takes as many looks as many short ones: the loop waits for neither. A
    quotation near its beginning, and a long one anywhere, is found all the same."""
    filler = "".join(chr(32 + (at * at) % 89) for at in range(999))
    source = (filler * (length // 999 + 1))[:length]
    diary = "it was the night before it happened, and nobody in the house knew what the morning would bring; " * 4
    since = time.process_time()
    line = without_quotes(f"flagged: {diary} and {'<>' * 900}", [diary[:40] + source + diary, *[source] * number])
    assert line.replace(" ", "").startswith("flagged:[...]and<>")
    assert time.process_time() - since < 2.0


def test_a_short_quotation_of_a_long_requests_beginning_is_found() -> None:
    """There every block is looked up, however long the request is."""
    assert without_quotes("it says swordfish, never again", ["say swordfish, never" + "x" * 3_000_000]) == (
        "it says[...] again"
    )
