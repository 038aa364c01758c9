"""HTTP/1.1 requests over kept connections, timed one by one: a load that costs its machine little."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence


class Connection:
    """One kept connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, port: int) -> Connection:
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def ask(self, request: bytes) -> tuple[int, float]:
        """The status, and how long the whole answer took, in seconds."""
        began = time.perf_counter()
        self._writer.write(request)
        head = await self._reader.readuntil(b"\r\n\r\n")
        length = next(
            int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")
        )
        await self._reader.readexactly(length)
        return int(head.split(b" ", 2)[1]), time.perf_counter() - began

    def close(self) -> None:
        self._writer.close()


def request(method: str, path: str, body: bytes = b"", **headers: str) -> bytes:
    """The bytes of one request. headers: with "_" for "-"."""
    lines = [f"{method} {path} HTTP/1.1", "host: 127.0.0.1", f"content-length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


def quantile(seconds: Sequence[float], share: float) -> float:
    """The quantile in milliseconds."""
    ordered = sorted(seconds)
    return 1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))]
