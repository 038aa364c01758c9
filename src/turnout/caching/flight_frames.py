"""A flight as frames of bytes for followers in other processes, and a flight mirrored from such frames.

H + JSON  the head of a stream: the decision, and the model that serves it
C + JSON  chunks of the stream, an array
L + bytes the whole answer (caching/entries.py), the last frame of a flight that landed
E + JSON  the error of a flight that failed, its last frame
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from turnout import errors
from turnout.caching.entries import StoredAnswer, pack, parse_decision, unpack
from turnout.caching.flights import Flight
from turnout.errors import InternalError, ServedError
from turnout.openai.answers import chunks_of
from turnout.records import Decision, ServedTier, fields_of

_HEAD, _CHUNKS, _LANDED, _FAILED = b"H", b"C", b"L", b"E"


@dataclass(frozen=True, slots=True)
class FlightHead:
    """What a flight's followers know before its answer. model: the configured name of the one that serves."""

    decision: Decision
    model: str
    tier: ServedTier


class HeadedProgress(Protocol):
    """A flight's progress: tells its head where another process mirrors it, and takes one where it mirrors."""

    def read_head(self) -> FlightHead: ...

    def write_head(self, head: FlightHead) -> None: ...


ProgressT = TypeVar("ProgressT", bound=HeadedProgress)


async def encode_flight(flight: Flight[StoredAnswer, ProgressT], chunks: bool) -> AsyncGenerator[bytes, None]:
    """The frames of this flight for one follower, from the first chunk on; none where that is no longer kept."""
    if not flight.joinable:
        return
    listener = flight.listen()
    try:
        if chunks and flight.streamed:
            batch = await listener.next_batch()
            head = flight.progress.read_head()
            yield _HEAD + _json({"decision": fields_of(head.decision), "model": head.model, "tier": head.tier})
            while batch:
                yield _CHUNKS + _json(batch)
                batch = await listener.next_batch()
        yield _LANDED + pack(await listener.answer())
    except ServedError as error:
        yield _FAILED + _json(_error(error))
    finally:
        listener.leave()


async def mirror_frames(frames: AsyncIterator[bytes], flight: Flight[StoredAnswer, ProgressT]) -> bool:
    """Runs this flight from another's frames. False: there was no frame, or not from the first one on.

    Raises ServedError, as the other flight did, and FlightLost.
    """
    async for frame in frames:
        kind, content = frame[:1], frame[1:]
        if kind == _HEAD:
            head = json.loads(content)
            flight.progress.write_head(FlightHead(parse_decision(head["decision"]), head["model"], head["tier"]))
        elif kind == _CHUNKS:
            for chunk in json.loads(content):
                await flight.publish(chunk)
        elif kind == _FAILED:
            raise _parse_error(json.loads(content))
        elif kind == _LANDED and (answer := unpack(content)) is not None:
            await land_ready(answer, flight)
            return True
    return False


async def land_ready(answer: StoredAnswer, flight: Flight[StoredAnswer, ProgressT]) -> None:
    """Lands this flight with a whole answer; publishes its chunks first where the flight is a stream."""
    flight.progress.write_head(FlightHead(answer.decision, answer.model, answer.tier))
    if flight.streamed and not flight.has_chunks:
        for chunk in chunks_of(json.loads(answer.body), include_usage=True):
            await flight.publish(chunk)
    flight.land(answer)


def _error(error: ServedError) -> dict[str, Any]:
    return {
        "kind": type(error).__name__,
        "message": error.message,
        "param": error.param,
        "code": error.told_code,
        "status": error.told_status,
        "retry_after_s": error.retry_after_s,
    }


def _parse_error(fields: dict[str, Any]) -> ServedError:
    kind = getattr(errors, fields.pop("kind"), None)
    if not (isinstance(kind, type) and issubclass(kind, ServedError)):
        kind = InternalError
    return kind(fields.pop("message"), **fields)


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
