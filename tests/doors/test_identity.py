"""The user's id, from what the app, the settings and the request say."""

from __future__ import annotations

from typing import Any

import pytest

from turnout.doors.identity import user_id
from turnout.errors import InvalidRequest, UsageError
from turnout.settings import Identity


def user(settings: Identity, user_of: Any = None, **headers: str) -> str:
    return user_id(settings, user_of, None, lambda name: headers.get(name.replace("-", "_"), ""))


def test_the_apps_callable_comes_first_then_the_header_then_the_bearer() -> None:
    """Each only where those before it say nothing; nobody is anonymous."""
    settings = Identity(user_header="X-User-Id", bearer=True)
    headers = {"x_user_id": "ann", "authorization": "Bearer sk-1"}
    assert user(settings, lambda raw: "bob", **headers) == "bob"
    assert user(settings, lambda raw: None, **headers) == "ann"
    assert user(settings, authorization="bearer sk-1").startswith("bearer-")
    assert user(settings, authorization="Basic sk-1") == "anonymous"
    assert user(Identity(bearer=False), authorization="Bearer sk-1") == "anonymous"


def test_a_bearer_token_stands_in_no_user_id() -> None:
    """A hash of it does: the same for the same token, whatever the spaces around it."""
    settings = Identity(bearer=True)
    ids = {user(settings, authorization=f"Bearer {token}") for token in ("sk-secret", " sk-secret ", "sk-secret-2")}
    assert len(ids) == 2
    assert not any("secret" in one for one in ids)


def test_two_keys_in_one_request_name_nobody() -> None:
    """A proxy that looks at one and we who look at the other would each take another for the user."""
    settings = Identity(bearer=True)
    with pytest.raises(InvalidRequest):
        user(settings, authorization="Bearer sk-1", x_api_key="sk-2")
    assert user(settings, authorization="Bearer sk-1", x_api_key="sk-1") == user(settings, x_api_key="sk-1")


def test_a_callable_that_gives_no_text_is_refused() -> None:
    """At once, and by name of what it gave."""
    with pytest.raises(UsageError, match="int"):
        user(Identity(), lambda raw: 7)


@pytest.mark.parametrize("name", ["ann", "zo\u00eb", "\u674e\u96f7", "na\u00efve@example.com"])
def test_an_id_of_utf_8_bytes_is_that_text_wherever_it_was_read(name: str) -> None:
    """A header, read as Latin-1, and a callable that returns one give the id that the app itself knows."""
    header = name.encode().decode("latin-1")
    assert user(Identity(user_header="x-user-id"), x_user_id=header) == name
    assert user(Identity(), lambda raw: header) == name
    assert user(Identity(), lambda raw: name) == name


def test_an_id_of_latin_1_bytes_stays_as_it_is() -> None:
    """Bytes that are no UTF-8 are another text."""
    assert user(Identity(user_header="x-user-id"), x_user_id="zo\xeb") == "zo\xeb"
