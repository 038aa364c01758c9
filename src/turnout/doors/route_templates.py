"""The route that a framework serves a request by, as the route's template, so that a path written otherwise stays the
same endpoint: Starlette and FastAPI, Flask, Django, Litestar. Nothing here imports a framework.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping
from typing import Any

# A path parameter as FastAPI, Starlette, Flask and Django write it, its converter in either place.
PARAMETER = re.compile(r"\{[^{}/]+\}|<[^<>/]+>")
# Starlette's Match.FULL: path and method both fit.
_FULL_MATCH = 2


def normal_path(path: str) -> str:
    """The one form of a path that is counted: no empty segments, no slash at the end. `//ask/` is `/ask`."""
    if "//" in path:
        path = re.sub("//+", "/", path)
    return path.rstrip("/") or "/" if path.endswith("/") else path


def normal_template(template: str) -> str:
    """The normal path of a template, its parameters without name and converter: `/item/{}` for `/item/<int:id>`."""
    return normal_path(PARAMETER.sub("{}", template))


def asgi_template(app: Any, scope: Mapping[str, Any], path: str) -> str:
    """The template of the route that serves this request under Starlette, FastAPI, Litestar or Django; "" elsewhere.
    app: what the door is around. path: below where the door stands."""
    if template := scope.get("path_template"):
        return str(template)
    while app is not None and not hasattr(app, "routes"):
        app = getattr(app, "app", None)
    # A mount changes the scope on its way down: what stood there at the door is what the routes are asked with.
    at_door = {**scope, "path": path, "root_path": ""}
    return _starlette_template(app or scope.get("app"), at_door) or django_template(path)


def _starlette_template(app: Any, scope: Mapping[str, Any], prefix: str = "") -> str:
    routes: Iterable[Any] = getattr(app, "routes", None) or ()
    for route in routes:
        if not hasattr(route, "matches"):
            return ""
        match, child_scope = route.matches(scope)
        if match.value == _FULL_MATCH:
            template = prefix + getattr(route, "path", "")
            below = getattr(route, "routes", None)
            return _starlette_template(route, {**scope, **child_scope}, template) if below else template
    return ""


def wsgi_template(app: Any, environ: Mapping[str, Any], path: str) -> str:
    """The template of the route that serves this request under Flask or Django; "" elsewhere. app: what the door is
    around. path: below where the app is mounted."""
    rule = getattr(environ.get("werkzeug.request"), "url_rule", None) or _flask_rule(app, environ)
    template = getattr(rule, "rule", "")
    return template if isinstance(template, str) and template else django_template(path)


def _flask_rule(app: Any, environ: Mapping[str, Any]) -> Any:
    """The rule that Flask will serve this by; found before Flask runs where the door is right around its `wsgi_app`."""
    url_map = getattr(getattr(app, "__self__", app), "url_map", None)
    if url_map is None:
        return None
    exceptions = sys.modules["werkzeug.exceptions"]
    routing = sys.modules["werkzeug.routing"]
    try:
        rule, _ = url_map.bind_to_environ(environ).match(return_rule=True)
    except (exceptions.HTTPException, routing.RoutingException):
        return None
    return rule


def django_template(path: str) -> str:
    """The template of the pattern that Django serves this path by; "" where there is none, or no Django."""
    urls = sys.modules.get("django.urls")
    if urls is None or not getattr(sys.modules["django.conf"].settings, "configured", False):
        return ""
    if not hasattr(sys.modules["django.conf"].settings, "ROOT_URLCONF"):
        return ""
    try:
        route: str = urls.resolve(path).route
    except urls.Resolver404:
        return ""
    return "/" + route.removeprefix("/")
