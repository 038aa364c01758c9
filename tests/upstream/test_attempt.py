"""One attempt: what its end tells the log and the circuit."""

from __future__ import annotations

import asyncio
import logging

import pytest

from tests.upstream.test_chain import FIRST, SECOND, World
from turnout.attempt_errors import NotConnected, ProviderFailed, Unsupported
from turnout.errors import ServedError
from turnout.testing import Says


def test_a_refusal_that_opens_no_circuit_is_warned_of_once(caplog: pytest.LogCaptureFixture) -> None:
    """A model that lacks a parameter refuses every such request: one warning, not one a request."""

    async def scenario() -> None:
        w = World(retry={"attempts": 1})
        w.provider.say(FIRST, Unsupported("no such parameter"))
        for _ in range(3):
            with pytest.raises(ServedError):
                await w.complete(w.order(FIRST))

    with caplog.at_level(logging.INFO, "turnout.upstream"):
        asyncio.run(scenario())
    levels = [record.levelname for record in caplog.records if "no such parameter" in record.getMessage()]
    assert levels == ["WARNING", "INFO", "INFO"]


def test_a_model_that_nobody_is_there_for_is_warned_of_once_with_address_and_cause(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A wrong port would be told nowhere at the default level. What the address's path may hide is left out."""

    async def scenario() -> None:
        base = {"params": {"api_base": "http://user:secret@127.0.0.1:9/hidden"}}
        w = World(retry={"attempts": 1}, models={FIRST: base})
        fault = NotConnected("no connection")
        fault.__cause__ = ConnectionRefusedError(111, "Connection refused\nforged")
        w.provider.say(FIRST, fault)
        for _ in range(3):
            with pytest.raises(ServedError):
                await w.complete(w.order(FIRST))

    with caplog.at_level(logging.INFO, "turnout.upstream"):
        asyncio.run(scenario())
    records = [record for record in caplog.records if record.getMessage().startswith("attempt of")]
    assert [record.levelname for record in records] == ["WARNING", "INFO", "INFO"]
    message = records[0].getMessage()
    assert "127.0.0.1:9" in message
    assert "Connection refused" in message
    assert not any(text in message for text in ("secret", "hidden", "\n"))


def test_a_streams_first_content_ends_its_probe() -> None:
    """The circuit is closed as soon as the model begins to answer, not at the stream's end."""

    async def scenario() -> None:
        w = World(retry={"attempts": 1}, breaker={"failures": 1, "reset_s": 30})
        w.provider.say(FIRST, ProviderFailed("down", status=500), "one two three")
        with pytest.raises(ServedError):
            await w.complete(w.order(FIRST))
        await w.clock.advance(31)
        chunks = w.chain.stream(w.order(FIRST), w.trace)
        await anext(chunks)
        assert w.bulkhead.guard.state(w.bulkhead.circuit(FIRST)).phase == "closed"
        await chunks.aclose()

    asyncio.run(scenario())


@pytest.mark.parametrize("stream", [False, True])
def test_an_exception_that_nobody_foresaw_is_that_attempts_failure(
    caplog: pytest.LogCaptureFixture, stream: bool
) -> None:
    """The next model answers, no circuit hears of it, and the log has its traceback once, without values."""

    async def scenario() -> None:
        w = World(retry={"attempts": 1}, breaker={"failures": 1})
        w.provider.say(FIRST, Says(chunks=(), breaks=KeyError("unforeseen sk-abcdefgh1234")))  # type: ignore[arg-type]
        for _ in range(3):
            answered = await (w.read(w.order()) if stream else w.complete(w.order()))
            assert (answered[0] if stream else answered)["model"] == "second"
        assert w.provider.calls == {FIRST: 3, SECOND: 3}
        assert w.bulkhead.guard.state(w.bulkhead.circuit(FIRST)).failures == 0

    with caplog.at_level(logging.ERROR, "turnout.upstream"):
        asyncio.run(scenario())
    (record,) = caplog.records
    assert "KeyError" in record.getMessage() or "unforeseen" in record.getMessage()
    assert "testing.py" in record.getMessage()
    assert "sk-abc" not in record.getMessage()
