"""`turnout alerts test --config turnout.toml`: send one alert, and say whether it was taken."""

from __future__ import annotations

import argparse
import asyncio
import json
import secrets

from turnout.cli.arguments import add_config
from turnout.clock import SystemClock
from turnout.errors import UsageError
from turnout.redaction import without_path
from turnout.settings import Settings
from turnout.telemetry.alert_watch import payload
from turnout.webhooks.address_check import ForbiddenAddress
from turnout.webhooks.factory import sender_from
from turnout.webhooks.sender import WebhookSender

MESSAGE = "This is a test: alerts of this app arrive here."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=["test"], help="test: send one alert")
    add_config(parser)
    parser.add_argument("--json", action="store_true", help="print only JSON")


def run(args: argparse.Namespace) -> int:
    """Exit code 1 where it was not taken, 2 where no webhook is configured."""
    settings, clock = Settings.from_toml(args.config), SystemClock()
    sender = sender_from(settings, clock)
    if sender is None:
        raise UsageError(f"{args.config} has no [alerts] webhook_url: alerts go to the log and the status page alone")
    body = payload("test", "", 0.0, MESSAGE, clock.time(), settings.alerts.format)
    status, why = asyncio.run(_send(sender, json.dumps(body, separators=(",", ":")).encode()))
    delivered = 200 <= status < 300
    if args.json:
        print(json.dumps({"delivered": delivered, "status": status or None, "error": why or None}))
    elif delivered:
        print(f"taken: the receiver answered {status}")
    else:
        where = without_path(settings.alerts.webhook_url)
        print(f"not taken: {why} ({where}); a receiver that takes it answers the POST with 200 to 299")
    return 0 if delivered else 1


async def _send(sender: WebhookSender, body: bytes) -> tuple[int, str]:
    try:
        status = await sender.post_once(f"msg_{secrets.token_hex(12)}", body)
    except ForbiddenAddress as error:
        return 0, str(error)
    return status, "" if 200 <= status < 300 else f"the receiver answered {status}" if status else "no answer"
