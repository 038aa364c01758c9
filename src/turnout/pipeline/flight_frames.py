"""A flight as frames of bytes, for listeners in other processes; and such frames as a flight.

H + JSON  the head of a stream: who decided what, who serves it
C + JSON  chunks of the stream, an array
L + bytes the whole answer (caching/entries.py), the last frame of a good flight
E + JSON  the error that the flight failed with, the last frame of a bad one
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import asdict
from typing import Any

from turnout import errors
from turnout.caching.entries import StoredAnswer, decision_of, pack, unpack
from turnout.errors import InternalError, ServedError
from turnout.openai.answers import chunks_of
from turnout.pipeline.call import AnswerFlight, FlightProgress
from turnout.upstream.call_trace import Candidate

_HEAD, _CHUNKS, _LANDED, _FAILED = b"H", b"C", b"L", b"E"


async def told(flight: AnswerFlight, chunks: bool) -> AsyncGenerator[bytes, None]:
    """What one listener hears of this flight, from the first on; no frame where it missed the beginning."""
    if not flight.joinable:
        return
    listener = flight.listen()
    try:
        if chunks and flight.streamed:
            chunk = await listener.next()
            yield _HEAD + _json(_head(flight.head))
            while chunk is not None:
                batch = [chunk]
                while listener.ready:
                    batch.append(await listener.next() or {})
                yield _CHUNKS + _json(batch)
                chunk = await listener.next()
        yield _LANDED + pack(await listener.answer())
    except ServedError as error:
        yield _FAILED + _json(_error(error))
    finally:
        listener.leave()


async def heard(frames: AsyncIterator[bytes], flight: AnswerFlight) -> bool:
    """Flies this flight by another's frames. False: it could not be heard from its first frame on, and nothing
    was. Raises ServedError, as the other flight did, and FlightLost."""
    async for frame in frames:
        kind, content = frame[:1], frame[1:]
        if kind == _HEAD:
            head = json.loads(content)
            flight.head.decision = decision_of(head["decision"])
            flight.head.trace.serving = Candidate(model=head["model"], tier=head["tier"])
        elif kind == _CHUNKS:
            for chunk in json.loads(content):
                await flight.publish(chunk)
        elif kind == _FAILED:
            raise _told_again(json.loads(content))
        elif kind == _LANDED and (answer := unpack(content)) is not None:
            await landed(answer, flight)
            return True
    return False


async def landed(answer: StoredAnswer, flight: AnswerFlight) -> None:
    """Lands this flight with a whole answer, as chunks first where its listeners may want chunks."""
    flight.head.decision = answer.decision
    flight.head.trace.serving = Candidate(model=answer.model, tier=answer.tier)
    if flight.streamed and not flight.begun:
        for chunk in chunks_of(json.loads(answer.body), include_usage=True):
            await flight.publish(chunk)
    flight.land(answer)


def _head(progress: FlightProgress) -> dict[str, Any]:
    assert progress.decision is not None
    assert progress.trace.serving is not None
    return {
        "decision": asdict(progress.decision),
        "model": progress.trace.serving.model,
        "tier": progress.trace.serving.tier,
    }


def _error(error: ServedError) -> dict[str, Any]:
    return {
        "kind": type(error).__name__,
        "message": error.message,
        "param": error.param,
        "code": error.told_code,
        "status": error.told_status,
        "retry_after_s": error.retry_after_s,
    }


def _told_again(told: dict[str, Any]) -> ServedError:
    kind = getattr(errors, told.pop("kind"), None)
    if not (isinstance(kind, type) and issubclass(kind, ServedError)):
        kind = InternalError
    return kind(told.pop("message"), **told)


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
