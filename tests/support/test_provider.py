"""The fault-injection provider plays what it is asked to, and refuses what it does not know."""

from __future__ import annotations

import contextlib
import threading
import time

import httpx
import pytest

from tests.support.provider import MODES, LoopbackProvider

ASKED = {"model": "m", "messages": [{"role": "user", "content": "x"}]}


def _post(provider: LoopbackProvider, *, stream: bool = False, seconds: float = 0.3) -> httpx.Response:
    return httpx.post(f"{provider.base_url}/chat/completions", json={**ASKED, "stream": stream}, timeout=seconds)


def test_an_unknown_mode_is_refused(provider: LoopbackProvider) -> None:
    """At once and by name: a test of a mode that does not exist would pass for nothing."""
    for mode in ("htlm", "200", "", "slow "):
        with pytest.raises(ValueError, match="is no mode"):
            provider.modes["m"] = mode
    with pytest.raises(ValueError, match="is no mode"):
        provider.play("m", (1, "ok"), (1, "brownout"))


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("mode", [*MODES, "500", "429", "429:7"])
def test_every_mode_is_seen_by_a_plain_client(provider: LoopbackProvider, mode: str, stream: bool) -> None:
    """Each mode, streamed and not, is what it says it is to a client that is not ours."""
    provider.modes["m"] = mode
    seen: object
    text = ""
    try:
        with httpx.stream(
            "POST", f"{provider.base_url}/chat/completions", json={**ASKED, "stream": stream}, timeout=0.6
        ) as answer:
            seen = answer.status_code
            began = time.monotonic()
            for part in answer.iter_text():
                text += part
                if time.monotonic() - began > 0.4:
                    seen = "for ever"
                    break
    except httpx.HTTPError as error:
        seen = type(error).__name__
    assert seen == _expected(mode, stream)
    if seen == 200:
        assert ("It" in text) == (mode not in ("no_choices", "error_in_200", "html")), text
        assert ("[DONE]" in text) == (stream and mode not in ("cut", "half_frame", "error_in_200", "html"))


def _expected(mode: str, stream: bool) -> object:
    match mode:
        case "500" | "429" | "429:7":
            return int(mode[:3])
        case "hang" | "hang_between":
            return "ReadTimeout"
        case "reset":
            return "ReadError"
        case "reset_between":
            return "ReadError"
        case "drip" | "drip_between":
            return "for ever"
        case "endless":
            return "for ever" if stream else 200
        case "cut" | "half_frame":
            return "RemoteProtocolError"
        case _:
            return 200


def test_retry_after_is_sent_where_it_is_asked_for(provider: LoopbackProvider) -> None:
    """A 429 without it and one with it are two faults."""
    provider.modes["m"] = "429"
    assert "retry-after" not in _post(provider).headers
    provider.modes["m"] = "429:7"
    assert _post(provider).headers["retry-after"] == "7"


def test_a_chance_is_drawn_a_call(provider: LoopbackProvider) -> None:
    """About as many fail as asked for."""
    provider.modes["m"] = "500@0.3"
    with httpx.Client(base_url=provider.base_url) as client:
        failed = sum(client.post("/chat/completions", json=ASKED).status_code == 500 for _ in range(100))
    assert 15 <= failed <= 45


def test_brown_outs_come_and_go_on_a_schedule() -> None:
    """Each phase lasts its time; the last one stays."""
    now = [100.0]
    with LoopbackProvider(monotonic=lambda: now[0]) as provider:
        provider.play("m", (2, "500"), (1, "503"), (0, "ok"))
        results = []
        for now[0] in (100.0, 101.9, 102.0, 102.9, 103.0, 1000.0):
            results.append(_post(provider).status_code)
    assert results == [500, 500, 503, 503, 200, 200]


def test_what_is_under_way_is_counted(provider: LoopbackProvider) -> None:
    """Calls at once, and connections, come and go with their clients."""
    provider.modes["m"] = "hang"

    def ask() -> None:
        with contextlib.suppress(httpx.HTTPError):
            _post(provider, seconds=0.4)

    asking = [threading.Thread(target=ask) for _ in range(3)]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join()
    assert provider.peak["m"] == 3
    assert provider.gone.wait(2)
    for _ in range(200):
        if not provider.active["m"] and not provider.connections:
            break
        time.sleep(0.01)
    assert (provider.active["m"], provider.connections) == (0, 0)
