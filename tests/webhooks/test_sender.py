"""Webhooks: signed as the standard says, sent to public addresses alone, tried again."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from turnout.testing import ManualClock
from turnout.webhooks.address_check import ForbiddenAddress, check_listed, choose_address, parse_url
from turnout.webhooks.post import Resolve, SignedPost
from turnout.webhooks.sender import MAX_CONCURRENT, WebhookSender
from turnout.webhooks.signing import signature_headers, signing_key


def test_the_signature_is_the_standards_own_example() -> None:
    """The vector of the Standard Webhooks specification."""
    key = signing_key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    headers = signature_headers(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "169.254.169.254",
        "::1",
        "fc00::1",
        "0.0.0.0",
        "::ffff:127.0.0.1",
        "100.64.0.1",
        "224.0.0.1",
    ],
)
def test_a_private_address_is_refused_unless_its_host_is_allowed(address: str) -> None:
    """Also where it stands beside a public one."""
    with pytest.raises(ForbiddenAddress):
        choose_address("evil.test", [address], [])
    with pytest.raises(ForbiddenAddress):
        choose_address("evil.test", ["93.184.215.14", address], [])
    assert choose_address(address, [address], [address]) == address
    assert choose_address("good.test", ["93.184.215.14"], []) == "93.184.215.14"


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "::1", "::ffff:127.0.0.1", "169.254.169.254", "fe80::1%eth0", "0.0.0.0", "::", "224.0.0.1"]
)
def test_an_allowed_name_leads_to_this_host_or_its_link_only_where_that_is_allowed(address: str) -> None:
    """Whoever answers for the name in the DNS may answer anything, and another thing each time."""
    with pytest.raises(ForbiddenAddress, match="itself"):
        choose_address("hook.test", ["10.1.2.3", address], ["hook.test"])
    assert choose_address("hook.test", [address], ["hook.test", address]) == address
    assert choose_address("hook.test", ["10.1.2.3"], ["hook.test"]) == "10.1.2.3"
    assert choose_address("localhost", ["127.0.0.1"], ["localhost"]) == "127.0.0.1"


@pytest.mark.parametrize(
    "url", ["ftp://a.test/", "http://a.test/", "https://u:p@a.test/", "https:///x", "file:///etc", "https://a.test:0/"]
)
def test_only_https_goes_anywhere(url: str) -> None:
    """Plain http to allowed hosts."""
    with pytest.raises(ForbiddenAddress):
        parse_url(url, [])
    assert parse_url("http://a.test/", ["a.test"]).hostname == "a.test"


@pytest.mark.parametrize("path", ["\r\nx-forged: 1", " a", "a\tb", "\0", "\x7f", "\u2028", "x" * 5000])
def test_an_address_with_blanks_or_control_characters_or_without_end_is_refused(path: str) -> None:
    """Before it is accepted: what reads it and what sends to it would each take it for another."""
    with pytest.raises(ForbiddenAddress):
        check_listed(f"https://a.test/{path}", ["a.test"])
    with pytest.raises(ForbiddenAddress):
        check_listed(f"{path[:1]}https://a.test/", ["a.test"])
    check_listed("https://a.test/jobs?x=%0d%0a", ["a.test"])


class Receiver:
    """A receiver on loopback: answers these statuses in order, the last one repeated."""

    def __init__(self, *statuses: int) -> None:
        self.received: list[dict[str, str]] = []
        self.followed: list[str] = []
        hook, remaining = self, list(statuses)

        class Responder(BaseHTTPRequestHandler):
            def log_message(self, *_: object) -> None:
                return None

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"])).decode()
                hook.received.append({**{name.lower(): value for name, value in self.headers.items()}, "body": body})
                status = remaining.pop(0) if len(remaining) > 1 else remaining[0]
                self._answer(status)

            def do_GET(self) -> None:
                hook.followed.append(self.path)
                self._answer(200)

            def _answer(self, status: int) -> None:
                self.send_response(status)
                self.send_header("location", "/elsewhere")
                self.send_header("content-length", "0")
                self.end_headers()

        self.server = HTTPServer(("127.0.0.1", 0), Responder)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()

    @property
    def port(self) -> int:
        return self.server.server_port

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def hooks() -> Iterator[list[Receiver]]:
    opened: list[Receiver] = []
    yield opened
    for hook in opened:
        hook.close()


async def on_loopback(host: str, port: int) -> Sequence[str]:
    return ["127.0.0.1"]


def send_one(hook: Receiver, allow_hosts: Sequence[str], clock: ManualClock, resolve: Resolve = on_loopback) -> None:
    async def main() -> None:
        url = f"http://hook.test:{hook.port}/in?a=1"
        sender = WebhookSender(url=url, key=b"k", allow_hosts=allow_hosts, clock=clock, resolve=resolve)
        sender.send({"type": "t"})
        (task,) = sender._sending
        while not task.done():
            if clock.next_at is not None:
                await clock.advance(clock.next_at - clock.monotonic())
            await asyncio.sleep(0.005)
        await sender.close()

    asyncio.run(main())


def test_it_is_sent_to_the_resolved_address_and_tried_again(hooks: list[Receiver]) -> None:
    """The host's own name in its headers; the same id each time; a redirect is no success and is not followed."""
    hooks.append(hook := Receiver(500, 302, 200))
    send_one(hook, ["hook.test", "127.0.0.1"], ManualClock(1_700_000_000.0))
    assert len(hook.received) == 3
    assert hook.followed == []
    assert {received["webhook-id"] for received in hook.received} == {hook.received[0]["webhook-id"]}
    first: dict[str, Any] = hook.received[0]
    assert first["host"] == f"hook.test:{hook.port}"
    expected = signature_headers(b"k", first["webhook-id"], int(first["webhook-timestamp"]), first["body"].encode())
    assert first["webhook-signature"] == expected["webhook-signature"]


def test_a_receiver_that_wants_no_more_is_left_alone(hooks: list[Receiver]) -> None:
    """410; and one that never takes it is given up after four tries; a host that is not allowed gets nothing."""
    for status, tries in ((410, 1), (503, 4)):
        hooks.append(hook := Receiver(status))
        send_one(hook, ["hook.test", "127.0.0.1"], ManualClock())
        assert len(hook.received) == tries
    hooks.append(hook := Receiver(200))
    send_one(hook, [], ManualClock())
    assert hook.received == []


def test_a_proxy_of_the_environment_is_not_used(hooks: list[Receiver], monkeypatch: pytest.MonkeyPatch) -> None:
    """It would resolve the host's name again, and might find another address than the one that was checked."""
    hooks.extend([hook := Receiver(200), proxy := Receiver(200)])
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
    send_one(hook, ["hook.test", "127.0.0.1"], ManualClock())
    assert (len(hook.received), proxy.received) == (1, [])


def test_no_more_than_so_many_messages_are_under_way() -> None:
    """A receiver that hangs must not gather messages without bound: those beyond the bound are dropped."""

    async def main() -> None:
        async def never(host: str, port: int) -> Sequence[str]:
            await asyncio.Event().wait()
            return []

        sender = WebhookSender(url="https://hook.test/", key=b"k", allow_hosts=[], clock=ManualClock(), resolve=never)
        for _ in range(MAX_CONCURRENT + 10):
            sender.send({"type": "t"})
        assert len(sender._sending) == MAX_CONCURRENT
        for task in sender._sending:
            task.cancel()
        await asyncio.wait(set(sender._sending))

    asyncio.run(main())


def test_a_name_that_does_not_resolve_once_is_tried_again(hooks: list[Receiver]) -> None:
    """A resolver that fails for a moment loses no message."""
    hooks.append(hook := Receiver(200))
    found: list[Sequence[str]] = [[], ["127.0.0.1"]]

    async def resolve(host: str, port: int) -> Sequence[str]:
        return found.pop(0)

    send_one(hook, ["hook.test", "127.0.0.1"], ManualClock(), resolve)
    assert len(hook.received) == 1


def test_a_receiver_that_drips_ends_with_its_try() -> None:
    """One time-out around the whole; nothing of a body is waited for."""

    async def main() -> tuple[int, int]:
        async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            head = b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n" if await reader.readline() == quick else b"HTTP/1.1 "
            writer.write(head)
            try:
                with contextlib.suppress(ConnectionError):
                    while True:
                        writer.write(b"2")
                        await writer.drain()
                        await asyncio.sleep(0.02)
            finally:
                writer.close()

        quick = b"POST /quick HTTP/1.1\r\n"
        server = await asyncio.start_server(drip, "127.0.0.1", 0)
        url = f"http://hook.test:{server.sockets[0].getsockname()[1]}"
        post = SignedPost(
            key=b"k", allow_hosts=["hook.test", "127.0.0.1"], clock=ManualClock(), resolve=on_loopback, timeout_s=1.0
        )
        async with asyncio.timeout(5):
            statuses = await post(url + "/quick", "msg_1", b"{}"), await post(url + "/slow", "msg_2", b"{}")
        server.close()
        return statuses

    assert asyncio.run(main()) == (200, 0)
