"""The secrets that settings and environment hold: what no log line and no answer may repeat."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from urllib.parse import unquote, urlsplit

from turnout.redaction import is_secret_name, secret_texts
from turnout.settings.sections import Settings


def secrets_of(settings: Settings, environ: Mapping[str, str]) -> Iterator[str]:
    """Every secret value, as it is written and as it is sent."""
    named = {settings.model(name).api_key_env for name in settings.every_model} | {
        settings.webhooks.secret_env,
        settings.status.token_env,
    }
    yield from (value for name, value in environ.items() if name in named or is_secret_name(name))
    for name in settings.every_model:
        yield from secret_texts(settings.model(name).params)
    if settings.redis is not None:
        password = settings.redis.url.partition("://")[2].rpartition("@")[0].partition(":")[2]
        yield from (password, unquote(password))
    if settings.alerts.webhook_url:
        yield urlsplit(settings.alerts.webhook_url).path


def salt_of(settings: Settings, environ: Mapping[str, str]) -> bytes:
    """32 bytes that every process of the app has, and nobody who holds none of its keys: a hash of the models' keys."""
    named = sorted({settings.model(name).api_key_env for name in settings.every_model} - {""})
    keys = "\n".join(environ.get(name, "") for name in named)
    return hashlib.blake2b(f"turnout {keys}".encode("utf-8", "surrogatepass"), digest_size=32).digest()
