"""The user's id of a request: from the app's callable, else a header, else the bearer token's hash, else anonymous."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

from turnout.context import ANONYMOUS
from turnout.errors import InvalidRequest, UsageError
from turnout.settings import Identity

UserOf = Callable[[Any], str | None]


def user_id(settings: Identity, user_of: UserOf | None, raw: Any, header: Callable[[str], str]) -> str:
    """The user's id; for a bearer token its hash, never the token. raw: what `user_of` is called with, the ASGI scope
    or the WSGI environ. header: gives a header's text by its lower-case name. Raises InvalidRequest where two headers
    name different users, UsageError where `user_of` gives something else than a text or None."""
    if user_of is not None:
        user = user_of(raw)
        if user is not None and not isinstance(user, str):
            raise UsageError(f"user= must give a text or None, not {type(user).__name__}")
        if user:
            return _decoded(user)
    if settings.user_header and (user := header(settings.user_header.lower())):
        return _decoded(user)
    if settings.bearer:
        token = _token(header)
        if token:
            return "bearer-" + hashlib.blake2b(token.encode(), digest_size=12).hexdigest()
    return ANONYMOUS


def _token(header: Callable[[str], str]) -> str:
    """The bearer token, or the key that Anthropic's clients send in its place; "" where neither is there. Raises
    InvalidRequest where both are and differ: a proxy and the app would each believe another."""
    kind, _, bearer = header("authorization").partition(" ")
    key, bearer = header("x-api-key").strip(), bearer.strip() if kind.lower() == "bearer" else ""
    if key and bearer and key != bearer:
        raise InvalidRequest("the headers authorization and x-api-key name different keys; send one of them")
    # Of another scheme nobody is known by.
    return bearer or ("" if kind else key)


def _decoded(user: str) -> str:
    """The id of UTF-8 bytes that were read as Latin-1, as frameworks read headers; any other id as it is. So a user
    has one name in headers, on the command line and in `purge`."""
    try:
        return user if user.isascii() else user.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return user
