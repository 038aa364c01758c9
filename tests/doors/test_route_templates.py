"""The route that serves a path: one name for it however the path is written, under each framework."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from fastapi import FastAPI
from flask import Flask
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from turnout.doors.route_templates import asgi_template, normal_path, normal_template, wsgi_template


@pytest.mark.parametrize(
    ("path", "normal"),
    [("/ask", "/ask"), ("//ask", "/ask"), ("/ask/", "/ask"), ("///a//b///", "/a/b"), ("/", "/"), ("//", "/"), ("", "")],
)
def test_a_path_has_one_normal_form(path: str, normal: str) -> None:
    """Empty segments and a slash at the end name nothing."""
    assert normal_path(path) == normal
    assert normal_path(normal) == normal


@pytest.mark.parametrize(
    "template", ["/item/{id}", "/item/{id:int}", "/item/<int:id>", "/item/<number>/", "//item/{x}"]
)
def test_templates_of_all_frameworks_are_one(template: str) -> None:
    """Whatever a parameter is called, and whatever converts it."""
    assert normal_template(template) == "/item/{}"


async def ask(request: Any) -> PlainTextResponse:
    return PlainTextResponse("")


def scope(path: str, **more: Any) -> dict[str, Any]:
    return {"type": "http", "method": "GET", "path": path, "headers": [], **more}


def test_starlette_and_fastapi_tell_the_route_below_mounts_and_middleware() -> None:
    """From outside of the router, before it has run."""
    inner = [Route("/ask/{topic}", ask)]
    app = Starlette(routes=[Route("/files/{rest:path}", ask), Mount("/sub/{tenant}", routes=inner)])
    assert asgi_template(app, scope("/files/a/b"), "/files/a/b") == "/files/{rest:path}"
    assert asgi_template(app, scope("/sub/7/ask/tea"), "/sub/7/ask/tea") == "/sub/{tenant}/ask/{topic}"
    assert asgi_template(app, scope("/none"), "/none") == ""
    api = FastAPI()
    api.get("/item/{number}")(ask)
    wrapped = type("Middleware", (), {"app": api})()
    assert asgi_template(wrapped, scope("/item/7"), "/item/7") == "/item/{number}"


def test_a_mounted_apps_changes_to_the_scope_do_not_hide_the_route() -> None:
    """The router below has written its own root path and app by then."""
    app = Starlette(routes=[Mount("/sub", routes=[Route("/ask", ask)])])
    changed = scope("/sub/ask", root_path="/sub", app=object())
    assert asgi_template(app, changed, "/sub/ask") == "/sub/ask"


def test_flask_tells_the_rule_before_it_runs() -> None:
    """Where the door is right around its `wsgi_app`; its converters are its own."""
    app = Flask(__name__)
    app.add_url_rule("/files/<path:rest>", "files", lambda rest: rest)
    environ = {"REQUEST_METHOD": "GET", "SERVER_NAME": "x", "SERVER_PORT": "80", "wsgi.url_scheme": "http"}
    for path, template in (("/files/a/b", "/files/<path:rest>"), ("/none", "")):
        assert wsgi_template(app.wsgi_app, {**environ, "PATH_INFO": path}, path) == template


def test_django_tells_the_pattern_by_its_resolver(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nested patterns whole; a path that none serves has none."""
    import django
    from django.conf import settings
    from django.urls import include, path

    if not settings.configured:
        settings.configure(ROOT_URLCONF="turnout_test_urls", ALLOWED_HOSTS=["*"], SECRET_KEY="x")
        django.setup()
    urls = type(sys)("turnout_test_urls")
    inner = [path("item/<int:id>", ask)]
    urls.urlpatterns = [path("shop/", include(inner))]  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, settings.ROOT_URLCONF, urls)
    assert wsgi_template(None, {}, "/shop/item/7") == "/shop/item/<int:id>"
    assert wsgi_template(None, {}, "/shop/item/x") == ""
