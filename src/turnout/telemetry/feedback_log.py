"""The file beside the request log that ratings are appended to: `requests.jsonl` has `requests.feedback.jsonl`."""

from __future__ import annotations

import json
import logging
from contextlib import closing
from pathlib import Path

from turnout.telemetry.line_file import LineFile

log = logging.getLogger("turnout")


class FeedbackLog:
    """Appends lines of JSON as `turnout train` joins them to the log: `{"request_id", "quality"}`."""

    def __init__(self, request_log: str) -> None:
        path = Path(request_log)
        self.path = path.with_name(f"{path.stem}.feedback{path.suffix or '.jsonl'}")

    def append(self, request_id: str, quality: float) -> None:
        """Appends one rating. What cannot be written is logged."""
        line = json.dumps({"request_id": request_id, "quality": quality}).encode() + b"\n"
        # Opened for each: ratings are rare, and come on any thread.
        try:
            with closing(LineFile(self.path)) as file:
                file.append(line)
        except OSError as error:
            log.warning("a rating could not be written: %s", error)
