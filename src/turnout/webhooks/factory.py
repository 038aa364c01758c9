"""Builds the webhook sender that the settings configure."""

from __future__ import annotations

import os

from turnout.errors import SettingsError
from turnout.ports.runtime import Clock
from turnout.settings import Settings
from turnout.webhooks.address_check import ForbiddenAddress, parse_url
from turnout.webhooks.post import SignedPost
from turnout.webhooks.sender import WebhookSender
from turnout.webhooks.signing import signing_key


def sender_from(settings: Settings, clock: Clock) -> WebhookSender | None:
    """The sender of alerts, or None where none is configured. Raises SettingsError."""
    url, webhooks = settings.alerts.webhook_url, settings.webhooks
    if not url:
        return None
    try:
        parse_url(url, webhooks.allow_hosts)
    except ForbiddenAddress as error:
        raise SettingsError(f"alerts.webhook_url: {error}") from error
    secret = os.environ.get(webhooks.secret_env, "")
    if not secret:
        raise SettingsError(
            f'alerts.webhook_url is set, and webhooks.secret_env = "{webhooks.secret_env}" names no environment '
            "variable that is set: set it, so that who receives an alert can tell that it is ours"
        )
    return WebhookSender(url=url, key=signing_key(secret), allow_hosts=webhooks.allow_hosts, clock=clock)


def post_from(settings: Settings, clock: Clock) -> SignedPost | None:
    """What posts the webhooks of jobs; None where no host is allowed or no secret is set."""
    webhooks = settings.webhooks
    secret = os.environ.get(webhooks.secret_env, "")
    if not webhooks.allow_hosts or not secret:
        return None
    return SignedPost(key=signing_key(secret), allow_hosts=webhooks.allow_hosts, clock=clock)
