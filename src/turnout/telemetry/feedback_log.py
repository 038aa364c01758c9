"""The file beside the request log that ratings are appended to: `requests.jsonl` has `requests.feedback.jsonl`."""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path

log = logging.getLogger("turnout")


class FeedbackLog:
    """Appends lines of JSON as `turnout train` joins them to the log: `{"request_id", "quality"}`."""

    def __init__(self, request_log: str) -> None:
        path = Path(request_log)
        self.path = path.with_name(f"{path.stem}.feedback{path.suffix or '.jsonl'}")

    def append(self, request_id: str, quality: float) -> None:
        """Appends one rating, in one write: workers may share the file. What cannot be written is logged."""
        line = json.dumps({"request_id": request_id, "quality": quality}).encode() + b"\n"
        try:
            file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)
            try:
                os.write(file, line)
            finally:
                os.close(file)
        except OSError as error:
            log.warning("a rating could not be written: %s", error)
