"""Reading a body at the WSGI door: what a length says is believed within bounds."""

from __future__ import annotations

import io

import pytest

from turnout.doors.wsgi_endpoint import body_size, read_ahead


@pytest.mark.parametrize(
    ("length", "size"),
    [("5", 5), ("0", 0), ("", 0), ("abc", 0), ("-1", 0), ("1.0", 0), ("\u00b2", 0), ("9" * 5000, 2**53)],
)  # fmt: skip
def test_a_length_is_a_whole_number_within_bounds(length: str, size: int) -> None:
    """Five thousand digits are no traceback, under an endpoint of the app's neither."""
    assert body_size({"CONTENT_LENGTH": length}, 7) == size
    assert body_size({"CONTENT_LENGTH": length, "wsgi.input_terminated": True}, 7) in (size, 7)


def test_a_body_that_says_it_is_too_large_is_left_to_the_app() -> None:
    """Untouched."""
    environ = {"CONTENT_LENGTH": "9" * 5000, "wsgi.input": io.BytesIO(b"body")}
    assert read_ahead(environ, 3) == b""
    assert environ["wsgi.input"].read() == b"body"
