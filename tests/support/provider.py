"""A real HTTP server on loopback that speaks OpenAI's protocol, counts, and plays any fault asked of it.

A mode is a name of `MODES` or an HTTP status, then `:` and a number where it takes one, then `@` and a chance
where not every call is to meet it: "ok", "503", "429:7" (with `Retry-After: 7`), "slow:0.4", "500@0.3".
"""

from __future__ import annotations

import json
import random
import select
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Body = dict[str, Any]

MODES = {
    "ok": "a good answer at once",
    "slow": "a good answer after so many seconds (0.4)",
    "no_usage": "a good answer that tells no usage",
    "no_choices": "a 200 whose list of choices is empty; a stream's every chunk has none",
    "error_in_200": "a 200 that holds an error object; of a stream, one event with it",
    "html": "a 200 of the wrong content type",
    "truncated": "JSON that ends in the middle; of a stream, one whole event holding such JSON after the first words",
    "cut": "the connection ends before the promised length; of a stream, before its finish",
    "half_frame": "as `cut`; of a stream, in the middle of an event",
    "hang": "nothing at all, not even headers",
    "hang_between": "headers and half the answer, then nothing; of a stream, the first words",
    "drip": "a blank byte so many seconds apart (0.05), for ever; of a stream, bytes of a comment",
    "drip_between": "as `drip`; of a stream, after the first words",
    "reset": "the connection reset before any answer",
    "reset_between": "the connection reset in the middle of the answer",
    "endless": "as `ok`; of a stream, words for ever",
}


@dataclass(frozen=True)
class Mode:
    """One way to answer. `argument`: seconds, of a status its Retry-After; `chance`: of meeting it, else `ok`."""

    name: str
    argument: float | None = None
    chance: float = 1.0

    @classmethod
    def parse(cls, text: str) -> Mode:
        """The mode that the text names. Raises ValueError for a name that is none."""
        named, _, chance = text.partition("@")
        name, _, argument = named.partition(":")
        if name not in MODES and not (name.isdigit() and 400 <= int(name) <= 599):
            raise ValueError(f"{text!r} is no mode of the provider; there are {', '.join(MODES)} and HTTP statuses")
        return cls(name, float(argument) if argument else None, float(chance) if chance else 1.0)


def vector_of(item: Any, size: int = 4) -> list[float]:
    """The numbers that every embedding model here gives for an input: single precision holds them exactly."""
    seed = random.Random(repr(item))
    return [seed.randrange(-1024, 1024) / 1024 for _ in range(size)]


def _embeddings(body: Body, mode: Mode) -> Body:
    """A vector an input, in the reverse order: the index counts."""
    given = body["input"]
    inputs = [given] if isinstance(given, str) or isinstance(given[0], int) else given
    size = body.get("dimensions", 4)
    data = [{"object": "embedding", "index": at, "embedding": vector_of(i, size)} for at, i in enumerate(inputs)]
    if mode.name == "no_choices":
        data = data[1:]
    tokens = sum(len(item.split()) if isinstance(item, str) else len(item) for item in inputs)
    usage = {} if mode.name == "no_usage" else {"usage": {"prompt_tokens": tokens, "total_tokens": tokens}}
    return {"object": "list", "data": data[::-1], "model": body["model"], **usage}


class _Modes(dict[str, str]):
    """The mode of each model; a name that is no mode is refused when it is set."""

    def __setitem__(self, model: str, mode: str) -> None:
        Mode.parse(mode)
        super().__setitem__(model, mode)


class _Left(Exception):
    """The client hung up, or the provider closes."""


class LoopbackProvider:
    """Answers each model by its mode (`modes[model]`, else `modes["*"]`, else "ok").

    `calls` counts calls by model, `active` those under way and `peak` the most at once; `connections` is how
    many are open. `bodies` holds what was asked, `gone` is set when a client left early, `sent` counts the
    words of endless streams. `latency_s` is how long every good answer takes.
    """

    def __init__(
        self,
        *,
        latency_s: float = 0.0,
        seed: int = 0,
        keep_bodies: bool = True,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.calls: Counter[str] = Counter()
        self.active: Counter[str] = Counter()
        self.peak: Counter[str] = Counter()
        self.bodies: list[Body] = []
        self.modes: dict[str, str] = _Modes()
        self.text = "It is four."
        # A model that answers what it is asked, streams aside: model -> the text for this body.
        self.says: dict[str, Callable[[Body], str]] = {}
        self.gone = threading.Event()
        self.sent = 0
        self.connections = 0
        self.latency_s = latency_s
        self._keep_bodies = keep_bodies
        self._monotonic = monotonic
        self._chance = random.Random(seed)
        self._schedules: dict[str, tuple[float, list[tuple[float, str]]]] = {}
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._server = _server(self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/v1"

    def play(self, model: str, *phases: tuple[float, str]) -> None:
        """Brown-outs on a schedule, beginning now: (seconds, mode) one after another; the last one stays."""
        for _, mode in phases:
            Mode.parse(mode)
        self._schedules[model] = (self._monotonic(), list(phases))

    def mode(self, model: str) -> Mode:
        """How this model answers now; chance has been drawn."""
        mode = Mode.parse(self._scheduled(model) or self.modes.get(model) or self.modes.get("*", "ok"))
        with self._lock:
            met = mode.chance >= 1.0 or self._chance.random() < mode.chance
        return mode if met else Mode("ok")

    def _scheduled(self, model: str) -> str | None:
        if model not in self._schedules:
            return None
        began, phases = self._schedules[model]
        left = self._monotonic() - began
        for seconds, mode in phases:
            if left < seconds:
                return mode
            left -= seconds
        return phases[-1][1]

    def begin(self, model: str, body: Body) -> None:
        with self._lock:
            self.calls[model] += 1
            self.active[model] += 1
            self.peak[model] = max(self.peak[model], self.active[model])
            if self._keep_bodies:
                self.bodies.append(body)

    def end(self, model: str) -> None:
        with self._lock:
            self.active[model] -= 1

    def connected(self, by: int) -> None:
        with self._lock:
            self.connections += by

    def wait(self, seconds: float, connection: socket.socket) -> None:
        """Returns after so many seconds. Raises _Left when the client hangs up or the provider closes."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            readable, _, _ = select.select([connection], [], [], min(left, 0.05))
            if self._closing.is_set() or (readable and not connection.recv(1, socket.MSG_PEEK)):
                raise _Left
            if readable:
                self._closing.wait(min(left, 0.05))

    def __enter__(self) -> LoopbackProvider:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


FOR_EVER = 3600.0
USAGE = {"prompt_tokens": 7, "completion_tokens": 4, "total_tokens": 11}
ERROR = {"message": "no", "type": "server_error", "code": "x", "param": None}


def _server(provider: LoopbackProvider) -> ThreadingHTTPServer:
    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 256

        def handle_error(self, request: Any, client_address: Any) -> None:
            return None

    class Responder(_Responder):
        pass

    Responder.provider = provider
    return Server(("127.0.0.1", 0), Responder)


class _Responder(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    provider: LoopbackProvider

    def log_message(self, *_: object) -> None:
        return None

    def handle(self) -> None:
        self.provider.connected(1)
        try:
            super().handle()
        finally:
            self.provider.connected(-1)

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        model = body["model"]
        self.provider.begin(model, {**body, "_headers": dict(self.headers)})
        try:
            self._answer(body, self.provider.mode(model))
        except (_Left, BrokenPipeError, ConnectionResetError):
            self.close_connection = True
            self.provider.gone.set()
        finally:
            self.provider.end(model)

    def _answer(self, body: Body, mode: Mode) -> None:
        if mode.name.isdigit():
            self._status(int(mode.name), mode.argument)
        elif mode.name == "hang":
            self._wait(FOR_EVER)
        elif mode.name == "reset":
            self._reset()
        elif mode.name == "html":
            self._send(200, b"<html>sorry</html>", "text/html")
        else:
            self._wait((mode.argument or 0.4) if mode.name == "slow" else self.provider.latency_s)
            (self._stream if body.get("stream") else self._whole)(body, mode)

    def _wait(self, seconds: float) -> None:
        self.provider.wait(seconds, self.connection)

    def _status(self, status: int, retry_after: float | None) -> None:
        error = {"message": "no", "type": "t", "code": "c", "param": "messages"}
        self._send(status, json.dumps({"error": error}).encode(), retry_after=retry_after)

    def _send(
        self, status: int, body: bytes, kind: str = "application/json", *, retry_after: float | None = None
    ) -> None:
        self._headers(status, kind, len(body), retry_after)
        self.wfile.write(body)

    def _headers(self, status: int, kind: str, length: int | None, retry_after: float | None = None) -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        if length is None:
            self.send_header("transfer-encoding", "chunked")
        else:
            self.send_header("content-length", str(length))
        if retry_after is not None:
            self.send_header("retry-after", f"{retry_after:g}")
        self.end_headers()

    def _reset(self) -> None:
        """Closes so that the client gets a reset instead of an end."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True

    def _whole(self, body: Body, mode: Mode) -> None:
        if self.path.endswith("/embeddings"):
            self._send(200, json.dumps(_embeddings(body, mode)).encode())
            return
        sent = json.dumps(self._completion(body, mode)).encode()
        # All but the end: the words are there, and still it is no answer.
        half = sent[: len(sent) * 3 // 4]
        match mode.name:
            case "error_in_200":
                # Without a code: litellm makes a 422, the caller's own fault, of it.
                bare = {name: value for name, value in ERROR.items() if name != "code"}
                self._send(200, json.dumps({"error": bare}).encode())
            case "truncated":
                self._send(200, half)
            case "cut" | "half_frame":
                self._headers(200, "application/json", len(sent))
                self.wfile.write(half)
                self.close_connection = True
            case "hang_between":
                self._headers(200, "application/json", len(sent))
                self.wfile.write(half)
                self._wait(FOR_EVER)
            case "reset_between":
                self._headers(200, "application/json", len(sent))
                self.wfile.write(half)
                self._reset()
            case "drip" | "drip_between":
                self._headers(200, "application/json", 10_000_000)
                while True:
                    self.wfile.write(b" ")
                    self._wait(mode.argument or 0.05)
            case _:
                self._send(200, sent)

    def _completion(self, body: Body, mode: Mode) -> Body:
        says = self.provider.says.get(body["model"])
        message: Body = {"role": "assistant", "content": says(body) if says else self.provider.text}
        finish = "stop"
        if body.get("tools"):
            call = {"id": "call_1", "type": "function", "function": {"name": "add", "arguments": '{"a":2}'}}
            message, finish = {"role": "assistant", "content": None, "tool_calls": [call]}, "tool_calls"
        answer: Body = {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1,
            "model": body["model"] + "-2026",
            "choices": [{"index": 0, "message": message, "finish_reason": finish}],
            "usage": USAGE,
        }
        if mode.name == "no_usage":
            del answer["usage"]
        if mode.name == "no_choices":
            answer["choices"] = []
        return answer

    def _stream(self, body: Body, mode: Mode) -> None:
        self._headers(200, "text/event-stream", None)
        model = body["model"] + "-2026"
        if mode.name == "error_in_200":
            self._data({"error": ERROR})
            self._end()
        elif mode.name == "drip":
            self._drip(mode)
        elif mode.name == "no_choices":
            for _ in range(3):
                self._event(model, {}, choices=[])
            self._finished(b"data: [DONE]\n\n")
        else:
            self._words(model, mode)

    def _words(self, model: str, mode: Mode) -> None:
        self._event(model, {"role": "assistant", "content": ""})
        for word in self.provider.text.split(" "):
            self._event(model, {"content": word + " "})
        match mode.name:
            case "endless":
                while True:
                    self._event(model, {"content": "x" * 1000})
                    self.provider.sent += 1
                    time.sleep(0.001)
            case "cut":
                self._cut()
            case "half_frame":
                self._write(b'data: {"id": "x", "obj')
                self._cut()
            case "truncated":
                self._write(b'data: {"id": "x", "obj\n\n')
                self._finished(b"data: [DONE]\n\n")
            case "hang_between":
                self._wait(FOR_EVER)
            case "drip_between":
                self._drip(mode)
            case "reset_between":
                self._reset()
            case _:
                self._event(model, {}, "stop")
                if mode.name != "no_usage":
                    self._event(model, {}, None, choices=[], usage=USAGE)
                self._finished(b"data: [DONE]\n\n")

    def _event(self, model: str, delta: Body, finish: str | None = None, **more: Any) -> None:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        frame = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": model}
        self._data({**frame, "choices": [choice], **more})

    def _data(self, body: Body) -> None:
        self._write(f"data: {json.dumps(body)}\n\n".encode())

    def _write(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()

    def _drip(self, mode: Mode) -> None:
        """A comment that never ends: no event is ever whole, no read is ever idle for long."""
        self._write(b":")
        while True:
            self._write(b".")
            self._wait(mode.argument or 0.05)

    def _cut(self) -> None:
        """The connection ends within the transfer, as HTTP tells it."""
        self.close_connection = True

    def _finished(self, last: bytes) -> None:
        self._write(last)
        self._write(b"")

    def _end(self) -> None:
        """The transfer ends in good order, whatever the answer was about to say, and so does the connection."""
        self._write(b"")
        self.close_connection = True
