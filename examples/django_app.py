"""A Django project in one file, before and after, under WSGI and under ASGI.

Before, in wsgi.py and asgi.py:

    application = get_wsgi_application()
    application = get_asgi_application()

After: one line each, and views that ask Turnout.

    gunicorn --workers 2 --threads 4 examples.django_app:wsgi
    uvicorn examples.django_app:asgi
"""

from __future__ import annotations

import os
from typing import Any

import django
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, JsonResponse
from django.urls import path
from django.utils.deprecation import MiddlewareMixin

from turnout.asgi import TurnoutMiddleware as AsgiTurnout
from turnout.errors import ServedError
from turnout.wsgi import TurnoutMiddleware as WsgiTurnout

CONFIG = os.environ.get("TURNOUT_CONFIG", "turnout.toml")


def ask(request: Any) -> JsonResponse:
    """A plain view, under WSGI."""
    answer = request.environ["turnout"].complete(request.GET["question"])
    return JsonResponse({"answer": answer.text, "tier": answer.outcome.tier})


async def ask_async(request: Any) -> JsonResponse:
    """An `async def` view, under ASGI."""
    answer = await request.scope["state"]["turnout"].complete(request.GET["question"])
    return JsonResponse({"answer": answer.text, "tier": answer.outcome.tier})


def ask_in_a_thread(request: Any) -> JsonResponse:
    """A plain view under ASGI: Django runs it in a thread, from which the call goes to the server's own loop."""
    answer = request.scope["state"]["turnout"].blocking.complete(request.GET["question"])
    return JsonResponse({"answer": answer.text, "tier": answer.outcome.tier})


class ServedErrorMiddleware(MiddlewareMixin):  # type: ignore[misc]  # Django ships no types
    """What could not be answered, with its status and when to come back."""

    def process_exception(self, request: HttpRequest, error: Exception) -> JsonResponse | None:
        if not isinstance(error, ServedError):
            return None
        return JsonResponse(error.to_openai(), status=error.told_status, headers=dict(error.told_headers))


def home(request: HttpRequest) -> JsonResponse:
    """What is not Turnout's passes untouched."""
    return JsonResponse({"path": request.path})


urlpatterns = [path("", home), path("ask", ask), path("ask-async", ask_async), path("ask-thread", ask_in_a_thread)]

settings.configure(
    ROOT_URLCONF=__name__,
    ALLOWED_HOSTS=["*"],
    SECRET_KEY="of-an-example",
    MIDDLEWARE=[f"{__name__}.ServedErrorMiddleware"],
)
django.setup()

wsgi = WsgiTurnout(get_wsgi_application(), config=CONFIG)
asgi = AsgiTurnout(get_asgi_application(), config=CONFIG)
