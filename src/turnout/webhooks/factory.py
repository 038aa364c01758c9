"""The webhook that the settings ask for."""

from __future__ import annotations

import os

from turnout.errors import SettingsError
from turnout.ports.runtime import Clock
from turnout.settings import Settings
from turnout.webhooks.address_check import Forbidden, checked_url
from turnout.webhooks.sender import Sender
from turnout.webhooks.signing import key_of


def sender_from(settings: Settings, clock: Clock) -> Sender | None:
    """What sends alerts, where that is configured. Raises SettingsError."""
    url, told = settings.alerts.webhook_url, settings.webhooks
    if not url:
        return None
    try:
        checked_url(url, told.allow_hosts)
    except Forbidden as error:
        raise SettingsError(f'alerts.webhook_url = "{url}": {error}') from error
    secret = os.environ.get(told.secret_env, "")
    if not secret:
        raise SettingsError(
            f'alerts.webhook_url is set, and webhooks.secret_env = "{told.secret_env}" names no environment variable '
            "that is set: set it, so that who receives an alert can tell that it is ours"
        )
    return Sender(url=url, key=key_of(secret), allow_hosts=told.allow_hosts, clock=clock)
