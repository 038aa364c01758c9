"""The form that a job's answer is kept in: of chat completions, or of the protocol that its submission came in."""

from __future__ import annotations

import json
from collections.abc import Sequence

from turnout.api.exchange import JobOrigin, WireAdapter
from turnout.openai.answers import Body, dumps


class AnswerForm:
    """Chat completions. include_usage: the caller wants the chunk that tells a stream's usage."""

    def __init__(self, *, include_usage: bool) -> None:
        self._include_usage = include_usage

    def result(self, completion: bytes) -> bytes:
        """The whole answer. completion: a `chat.completion` object as JSON."""
        return completion

    def events(self, chunks: Sequence[Body]) -> list[bytes]:
        """The events of these chunks, each as JSON."""
        return [dumps(chunk) for chunk in chunks if self._include_usage or chunk["choices"]]

    def last_events(self) -> list[bytes]:
        """The events after the last chunk."""
        return []


class WireForm(AnswerForm):
    """Another protocol's."""

    def __init__(self, wire: WireAdapter, job: JobOrigin) -> None:
        self._wire = wire
        self._job = job
        self._translator = wire.translator(job)

    def result(self, completion: bytes) -> bytes:
        return dumps(self._wire.result(json.loads(completion), self._job))

    def events(self, chunks: Sequence[Body]) -> list[bytes]:
        return _data(b"".join(map(self._translator.feed, chunks)))

    def last_events(self) -> list[bytes]:
        return _data(self._translator.end())


def _data(events: bytes) -> list[bytes]:
    """What each of these server-sent events holds; the mark of a stream's end is none."""
    pieces = (event.partition(b"data: ")[2] for event in events.split(b"\n\n"))
    return [piece for piece in pieces if piece not in (b"", b"[DONE]")]
