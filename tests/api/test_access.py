"""Who may read the page and the metrics, and what is never told by how long an answer takes."""

from __future__ import annotations

import ast
import inspect
from typing import Any

import pytest

from tests.support.status_doors import BARE, TOKEN
from turnout.api import access
from turnout.api.access import COOKIE, COOKIE_MAX_AGE_S, StatusAccess
from turnout.api.exchange import ApiRequest
from turnout.context import Caller
from turnout.errors import NotFound, Unauthorized
from turnout.settings import Settings

NAME = "TURNOUT_STATUS_TOKEN"


def _access(token: str = TOKEN, **status: Any) -> StatusAccess:
    settings = Settings.of({**BARE, "status": {"token_env": NAME, **status}})
    return StatusAccess(settings, {NAME: token})


def _request(**headers: str) -> ApiRequest:
    given = {name: headers.pop(name) for name in ("client", "query") if name in headers}
    secure = headers.pop("scheme", "http") == "https"
    return ApiRequest(
        method="GET",
        path="/turnout/status",
        header=lambda name: headers.get(name, ""),
        body=b"",
        caller=Caller(),
        request_id="req_1",
        started=0.0,
        secure=secure,
        **given,
    )


def test_no_secret_is_compared_by_how_far_it_is_alike() -> None:
    """Neither the token nor the cookie stands on either side of a comparison; both are given to compare_digest."""
    tree = ast.parse(inspect.getsource(access))
    secrets = ("_token", "_cookie", "token", "cookie", "value", "credentials")

    def names(node: ast.AST) -> set[str]:
        found = {each.attr for each in ast.walk(node) if isinstance(each, ast.Attribute)}
        return found | {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}

    compared = [node for node in ast.walk(tree) if isinstance(node, ast.Compare)]
    assert [ast.unparse(node) for node in compared if names(node) & set(secrets)] == []
    digests = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and "compare_digest" in names(node.func)]
    given = {name for call in digests for argument in call.args for name in names(argument)}
    assert {"_token", "_cookie"} <= given


def test_the_cookie_is_for_this_page_and_for_a_month() -> None:
    """Only over https where it came by it, out of scripts' reach, and not the token itself."""
    name, value = _access().cookie_header(_request(scheme="https"))
    parts = value.split("; ")
    assert name == "set-cookie"
    assert set(parts[1:]) == {f"Max-Age={COOKIE_MAX_AGE_S}", "HttpOnly", "SameSite=Lax", "Secure"}
    assert "Secure" not in _access().cookie_header(_request())[1]
    assert TOKEN not in value


def test_a_cookie_ends_with_its_token() -> None:
    """Whoever changes the token shuts everybody out."""
    value = _access().cookie_header(_request())[1].partition(";")[0]
    assert value.startswith(f"{COOKIE}=")
    assert _access().knows_token(_request(cookie=f"other=1; {value}"))
    assert not _access(token="another").knows_token(_request(cookie=value))


def test_a_refusal_is_kept_by_nobody() -> None:
    """No cache may answer with it once the token is right."""
    with pytest.raises(Unauthorized) as refused:
        _access().check(_request(authorization=f"Basic {TOKEN}"))
    assert ("cache-control", "no-store") in refused.value.headers


@pytest.mark.parametrize(
    ("client", "allowed"),
    [
        ("10.1.2.3", True),
        ("::ffff:10.1.2.3", True),
        ("fd00::7", True),
        ("11.1.2.3", False),
        ("::ffff:11.1.2.3", False),
        ("fe80::1", False),
        ("", False),
        ("unix:", False),
    ],
)
def test_the_metrics_are_for_whoever_asks_from_an_allowed_network(client: str, allowed: bool) -> None:
    """Its version 4 addresses as a version 6 socket tells them too; the page is for none of them."""
    door = _access(allow_networks=["10.0.0.0/8", "fd00::/8"])
    if allowed:
        door.check_metrics(_request(client=client))
    else:
        with pytest.raises(Unauthorized):
            door.check_metrics(_request(client=client))
    with pytest.raises(Unauthorized):
        door.check(_request(client=client))


def test_networks_alone_switch_nothing_on() -> None:
    """Without a token nothing is counted that they could read."""
    door = StatusAccess(Settings.of({**BARE, "status": {"allow_networks": ["10.0.0.0/8"]}}), {})
    for check in (door.check, door.check_metrics):
        with pytest.raises(NotFound):
            check(_request(client="10.1.2.3", authorization="Bearer "))
