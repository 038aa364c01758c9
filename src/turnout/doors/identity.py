"""Who is asking: the app's callable, else the configured header, else the bearer's hash, else anonymous."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

from turnout.context import ANONYMOUS
from turnout.errors import UsageError
from turnout.settings import Identity

UserOf = Callable[[Any], str | None]


def user_id(settings: Identity, user_of: UserOf | None, scope: Any, header: Callable[[str], str]) -> str:
    """The user's id. A bearer token never stands in it: its hash does. Raises UsageError where the app's
    callable gives something else than a text or None."""
    if user_of is not None:
        told = user_of(scope)
        if told is not None and not isinstance(told, str):
            raise UsageError(f"user= must give a text or None, not {type(told).__name__}")
        if told:
            return told
    if settings.user_header and (told := header(settings.user_header.lower())):
        return told
    if settings.bearer:
        kind, _, token = header("authorization").partition(" ")
        if kind.lower() == "bearer" and token.strip():
            return "bearer-" + hashlib.blake2b(token.strip().encode(), digest_size=12).hexdigest()
    return ANONYMOUS
