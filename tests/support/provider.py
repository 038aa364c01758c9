"""A real HTTP server on loopback that speaks OpenAI's protocol, answers at once and counts."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Body = dict[str, Any]


class LoopbackProvider:
    """Plays a mode a model (`modes[model]`, default "ok") and counts calls by model.

    Modes: "ok"; an HTTP status as text; "no_usage", "no_choices", "truncated", "html", "error_in_200"; of
    streams also "cut", "half_frame", "hang" (after the first words), "slow".
    """

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.bodies: list[Body] = []
        self.modes: dict[str, str] = {}
        self.text = "It is four."
        self.gone = threading.Event()
        self.sent = 0
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._responder())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/v1"

    def __enter__(self) -> LoopbackProvider:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _responder(provider) -> type[BaseHTTPRequestHandler]:  # noqa: N805 - two selves stand side by side
        class Responder(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None:
                return None

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                model = body["model"]
                provider.calls[model] += 1
                provider.bodies.append({**body, "_headers": dict(self.headers)})
                mode = provider.modes.get(model, "ok")
                if mode.isdigit():
                    error = {"message": "no", "type": "t", "code": "c", "param": "messages"}
                    self._send(int(mode), json.dumps({"error": error}).encode())
                elif body.get("stream"):
                    self._stream(body, mode)
                else:
                    self._whole(body, mode)

            def _send(self, status: int, body: bytes, kind: str = "application/json") -> None:
                self.send_response(status)
                self.send_header("content-type", kind)
                self.send_header("content-length", str(len(body)))
                self.send_header("retry-after", "0")
                self.end_headers()
                self.wfile.write(body)

            def _whole(self, body: Body, mode: str) -> None:
                if mode == "slow":
                    time.sleep(0.4)
                message: Body = {"role": "assistant", "content": provider.text}
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
                    "usage": {"prompt_tokens": 7, "completion_tokens": 4, "total_tokens": 11},
                }
                if mode == "no_usage":
                    del answer["usage"]
                if mode == "no_choices":
                    answer["choices"] = []
                sent = json.dumps(answer).encode()
                if mode == "truncated":
                    sent = sent[:40]
                if mode == "error_in_200":
                    sent = b'{"error": {"message": "no", "type": "server_error", "code": "x"}}'
                if mode == "html":
                    return self._send(200, b"<html>sorry</html>", "text/html")
                return self._send(200, sent)

            def _event(self, model: str, delta: Body, finish: str | None = None, **more: Any) -> None:
                choice = {"index": 0, "delta": delta, "finish_reason": finish}
                frame = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": model}
                self._write(f"data: {json.dumps({**frame, 'choices': [choice], **more})}\n\n".encode())

            def _write(self, data: bytes) -> None:
                self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
                self.wfile.flush()

            def _stream(self, body: Body, mode: str) -> None:
                self.send_response(200)
                self.send_header("content-type", "text/event-stream")
                self.send_header("transfer-encoding", "chunked")
                self.end_headers()
                model = body["model"] + "-2026"
                try:
                    self._event(model, {"role": "assistant", "content": ""})
                    for word in provider.text.split(" "):
                        self._event(model, {"content": word + " "})
                    if mode == "endless":
                        while True:
                            self._event(model, {"content": "x" * 1000})
                            provider.sent += 1
                            time.sleep(0.001)
                    if mode == "cut":
                        self.close_connection = True
                        self._write(b"")
                        return
                    if mode == "half_frame":
                        self._write(b'data: {"id": "x", "obj')
                        self._write(b"")
                        return
                    self._event(model, {}, "stop")
                    usage = {"prompt_tokens": 7, "completion_tokens": 4, "total_tokens": 11}
                    self._event(model, {}, None, choices=[], usage=usage)
                    self._write(b"data: [DONE]\n\n")
                    self._write(b"")
                except (BrokenPipeError, ConnectionResetError):
                    self.close_connection = True
                    provider.gone.set()

        return Responder
