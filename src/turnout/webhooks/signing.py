"""Standard Webhooks, as it specifies them: how messages are signed, and what their receiver answers. Pure."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac

from turnout.errors import SettingsError

# The status by which a receiver asks for no more messages.
GONE = 410


def signing_key(secret: str) -> bytes:
    """The key in a secret: base64 behind `whsec_`, else the text itself. Raises SettingsError."""
    if not secret.startswith("whsec_"):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except binascii.Error as error:
        raise SettingsError("the webhook secret begins with whsec_, and what follows is not base64") from error


def signature_headers(key: bytes, message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The three headers of a message: its id, its timestamp (seconds since 1970) and its signature."""
    content = b".".join((message_id.encode(), str(timestamp).encode(), body))
    signature = base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": f"v1,{signature}",
    }


def is_settled(status: int) -> bool:
    """Whether a receiver that answers with this HTTP status has the message, or wants none any more."""
    return 200 <= status < 300 or status == GONE
