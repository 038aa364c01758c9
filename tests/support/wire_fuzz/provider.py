"""The provider of the fuzz, a process of its own: `python -m tests.support.wire_fuzz.provider SEED`.

It prints its port and ends with its input. A request whose text holds `case:NUMBER` gets the reply that this seed and
number make, any other a good one.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from random import Random
from urllib.parse import urlsplit

from tests.support.scripted_provider import Received
from tests.support.wire_fuzz.replies import Sent, fuzzed, good

_CASE = re.compile(rb"case:(\d+)")
HANG_S = 2.0


def reply(seed: int, path: str, body: bytes) -> Sent:
    """What is answered to this request."""
    try:
        tree = json.loads(body or b"{}")
    except ValueError:
        tree = {}
    received = Received(path=path, query={}, headers={}, body=tree if isinstance(tree, dict) else {})
    if (case := _CASE.search(body)) is None:
        return good(received)
    return fuzzed(Random(f"{seed}:reply:{int(case[1])}"), received)


async def serve(seed: int) -> None:
    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await _one(seed, reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.transport.abort()

    server = await asyncio.start_server(connected, "127.0.0.1", 0, limit=1 << 20, backlog=512)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)
    os._exit(0)


async def _one(seed: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    """Answers one request; whether the connection may be used again."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    length = re.search(r"(?i)\r\ncontent-length: *(\d+)", head)
    body = await reader.readexactly(int(length[1])) if length else b""
    sent = reply(seed, urlsplit(head.split(" ")[1]).path, body)
    lines = [f"HTTP/1.1 {sent.status} x", *(f"{name}: {value}" for name, value in sent.headers)]
    if sent.status == 204:
        writer.write("\r\n".join([*lines, "", ""]).encode("latin-1"))
        return True
    writer.write("\r\n".join([*lines, "transfer-encoding: chunked", "", ""]).encode("latin-1"))
    for piece in filter(None, sent.pieces):
        writer.write(b"%x\r\n%s\r\n" % (len(piece), piece))
    if sent.ends == "hangs":
        await asyncio.sleep(HANG_S)
    if sent.ends == "well":
        writer.write(b"0\r\n\r\n")
    await writer.drain()
    if sent.ends == "cut":
        writer.close()
    return sent.ends == "well"


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
