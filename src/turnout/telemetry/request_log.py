"""The request log: JSON lines, one a request. It holds prompts only where the settings say so.

The loop hands over a record and goes on; one thread a process renders and appends. What does not fit the
bounded queue is dropped and counted, never waited for. The file is opened anew when it was renamed or
removed, so logrotate needs no signal; lines are appended whole, so workers may share one file.
"""

from __future__ import annotations

import atexit
import json
import logging
import os
import queue
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from turnout.errors import SettingsError
from turnout.openai.messages import Message, text_of
from turnout.openai.requests import ChatRequest, to_mapping
from turnout.ports.runtime import ProviderCall
from turnout.records import Attempt, Outcome, ServedTier
from turnout.telemetry.line_file import LineFile

log = logging.getLogger("turnout")

# Queued records: some seconds of heavy traffic. Their requests weigh more than they do, so both are bounded.
MAX_QUEUED = 10_000
MAX_QUEUED_CHARACTERS = 64 * 1024 * 1024
# Lines written at once, and how long closing may wait for the rest.
MAX_BATCH = 256
CLOSE_TIMEOUT_S = 5.0


@dataclass(slots=True, kw_only=True)
class Record:
    """One request on its way into the log. messages: only where content is kept; () before an attempt."""

    request_id: str
    content: bool = False
    messages: tuple[Message, ...] = ()


class RequestLog:
    """Implements the Observer port. `wall`: seconds since 1970. Raises SettingsError for a path that cannot be
    written. `dropped` counts the lines that were never written."""

    def __init__(self, path: str, *, content: bool, wall: Callable[[], float]) -> None:
        self._path = _writable_path(path)
        self._content = content
        self._wall = wall
        self._writer: _Writer | None = None
        self._pid = 0
        self.dropped = 0

    def request_started(self, request_id: str) -> Record:
        return Record(request_id=request_id, content=self._content)

    def attempt_started(self, token: Record | None, call: ProviderCall, *, tier: ServedTier, stream: bool) -> None:
        if self._content and token is not None and not token.messages:
            token.messages = call.messages

    def attempt_ended(self, token: None, attempt: Attempt) -> None:
        return None

    def event(self, token: Record | None, name: str, attributes: Mapping[str, str | int | float | bool]) -> None:
        return None

    def request_ended(self, token: Record, outcome: Outcome) -> None:
        if not self._writer_of_this_process().put(token, outcome, self._wall()):
            self._drop(1)

    def close(self) -> None:
        """Writes the queued records, within seconds, and ends the thread. A later request begins another one."""
        writer, self._writer = self._writer, None
        if writer is not None and self._pid == os.getpid():
            atexit.unregister(self.close)
            writer.close()

    def _writer_of_this_process(self) -> _Writer:
        # A thread does not survive a fork: a worker that was forked after the first request begins its own.
        if self._writer is None or self._pid != os.getpid():
            self._writer, self._pid = _Writer(self._path, self._drop), os.getpid()
            atexit.register(self.close)
        return self._writer

    def _drop(self, lines: int) -> None:
        before = self.dropped
        self.dropped += lines
        # At the first, the tenth, the hundredth: a warning a line would be worse than the loss.
        if len(str(self.dropped)) > len(str(before)) or before == 0:
            log.warning("request log %s: %d lines could not be written so far", self._path, self.dropped)


class _Writer:
    """One thread that appends. Calls `on_lost` with the number of lines that could not be written."""

    def __init__(self, path: Path, on_lost: Callable[[int], None]) -> None:
        self._path = path
        self._on_lost = on_lost
        self._queue: queue.Queue[tuple[Record, Outcome, float] | None] = queue.Queue(MAX_QUEUED)
        self._characters = 0
        self._characters_lock = threading.Lock()
        self._file = LineFile(path)
        self._thread = threading.Thread(target=self._run, name="turnout.request-log", daemon=True)
        self._thread.start()

    def put(self, record: Record, outcome: Outcome, now: float) -> bool:
        """Queues a record; returns whether there was room. Never waits."""
        size = _size(record, outcome)
        with self._characters_lock:
            if self._characters + size > MAX_QUEUED_CHARACTERS:
                return False
            self._characters += size
        try:
            self._queue.put_nowait((record, outcome, now))
        except queue.Full:
            self._release(size)
            return False
        return True

    def close(self) -> None:
        try:
            self._queue.put(None, timeout=CLOSE_TIMEOUT_S)
        except queue.Full:
            return
        self._thread.join(CLOSE_TIMEOUT_S)

    def _release(self, size: int) -> None:
        with self._characters_lock:
            self._characters -= size

    def _run(self) -> None:
        closed = False
        while not closed:
            batch, closed = self._next_batch()
            if batch:
                self._append(b"".join(json_line(*row) for row in batch), len(batch))
                self._release(sum(_size(record, outcome) for record, outcome, _ in batch))
        self._file.close()

    def _next_batch(self) -> tuple[list[tuple[Record, Outcome, float]], bool]:
        """The queued records, at most MAX_BATCH, once there is one; and whether close() was called."""
        batch: list[tuple[Record, Outcome, float]] = []
        row = self._queue.get()
        while row is not None:
            batch.append(row)
            if len(batch) == MAX_BATCH:
                return batch, False
            try:
                row = self._queue.get_nowait()
            except queue.Empty:
                return batch, False
        return batch, True

    def _append(self, lines: bytes, count: int) -> None:
        try:
            self._file.append(lines)
        except OSError as error:
            log.debug("request log %s: %s", self._path, error)
            self._on_lost(count)


def _size(record: Record, outcome: Outcome) -> int:
    """What waits with a record: its request with all that it holds, written or not; of the app's own code its texts."""
    if outcome.request is not None and outcome.request.size:
        return outcome.request.size
    return sum(len(text_of(message)) for message in record.messages)


def _writable_path(path: str) -> Path:
    file = Path(path)
    writable = os.access(file, os.W_OK) if file.exists() else os.access(file.parent, os.W_OK)
    if file.is_dir() or not writable:
        raise SettingsError(f'log.path = "{path}": cannot be written; name a file in a folder that can')
    return file


def json_line(record: Record, outcome: Outcome, now: float) -> bytes:
    """One request as one line of JSON. `id`, `group` and `messages` are what `turnout label` reads."""
    fields = _outcome_fields(outcome) | {"id": record.request_id, "time": datetime.fromtimestamp(now, UTC).isoformat()}
    if record.content and outcome.cache_key is not None:
        # A digest of the prompt: who knows it can tell whether a prompt that he guesses was asked.
        fields["cache_key"] = outcome.cache_key.hex()
    if record.messages:
        fields["messages"] = [dict(message) for message in record.messages]
        fields["request"] = _request_fields(outcome.request) or None
    present = {name: value for name, value in fields.items() if value is not None and value != ""}
    return json.dumps(present, ensure_ascii=False, default=str).encode("utf-8", "replace") + b"\n"


def _request_fields(request: ChatRequest | None) -> dict[str, Any]:
    """What was asked beside the messages, as it would stand in a body, defaults left out."""
    if request is None:
        return {}
    fields = to_mapping(request)
    for name in ("messages", "stream", "stream_options"):
        fields.pop(name, None)
    return {name: value for name, value in fields.items() if (name, value) != ("model", "auto")}


def _outcome_fields(outcome: Outcome) -> dict[str, Any]:
    return {
        "time": "",
        "id": "",
        "user": outcome.user,
        "endpoint": outcome.endpoint,
        **_decision_fields(outcome),
        "tier": outcome.tier,
        "model": outcome.model,
        "reason": outcome.reason,
        "cache": outcome.cache,
        "error": outcome.error,
        # What `turnout label` and `train` read are chats.
        "operation": None if outcome.operation == "chat" else outcome.operation,
        "cost_usd": float(outcome.cost_usd),
        "prompt_tokens": outcome.usage.prompt_tokens,
        "completion_tokens": outcome.usage.completion_tokens,
        "cached_tokens": outcome.usage.cached_tokens or None,
        "turnout_s": outcome.turnout_s,
        "inference_s": outcome.inference_s,
        "waited_s": outcome.waited_s,
        "first_chunk_s": outcome.first_chunk_s,
        "streamed": outcome.streamed,
        "age_s": outcome.age_s,
        "attempts": [_attempt_fields(attempt) for attempt in outcome.attempts],
    }


def _decision_fields(outcome: Outcome) -> dict[str, Any]:
    decision = outcome.decision
    if decision is None:
        return {"group": outcome.endpoint}
    return {
        "group": decision.tag or outcome.endpoint,
        "score": decision.score,
        "expected_gain": decision.expected_gain,
        "threshold": decision.threshold,
        "novelty": decision.novelty,
        "scorer_version": decision.scorer_version,
        "switch_usd": decision.switch_usd,
        "switch_gain_usd": decision.switch_gain_usd,
        "verdict": decision.verdict,
        "verdict_score": decision.verdict_score,
        "verdict_threshold": decision.verdict_threshold,
        "escalation_propensity": decision.escalation_propensity,
        "second_agrees": decision.second_agrees,
    }


def _attempt_fields(attempt: Attempt) -> dict[str, Any]:
    fields = {
        "model": attempt.model,
        "error": attempt.error,
        "status": attempt.status,
        "duration_s": attempt.duration_s,
        "cost_usd": float(attempt.cost_usd),
        "second_sample": attempt.second_sample or None,
    }
    return {name: value for name, value in fields.items() if value is not None}
