"""The data of server-sent events, out of a body's bytes as they come."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable

from turnout.attempt_errors import MalformedReply

# One event of a stream: an image in base64 fits.
MAX_EVENT = 16 * 2**20


async def event_data(pieces: AsyncIterable[bytes], most: int = MAX_EVENT) -> AsyncGenerator[bytes, None]:
    """The `data` of each event, its lines joined by newlines; comments, names and empty events are left out.

    The last event counts without its blank line too. Raises MalformedReply for an event longer than `most` bytes.
    """
    rest = b""
    lines: list[bytes] = []
    async for piece in pieces:
        rest += piece
        if len(rest) > most:
            raise MalformedReply(f"an event of the stream is longer than {most} bytes")
        if b"\n" not in piece:
            continue
        *whole, rest = rest.split(b"\n")
        for line in whole:
            if line.startswith(b"data:"):
                lines.append(line[5:].strip())
            elif lines and line in (b"", b"\r"):
                yield lines[0] if len(lines) == 1 else b"\n".join(lines)
                lines.clear()
    if rest.startswith(b"data:"):
        lines.append(rest[5:].strip())
    if lines:
        yield b"\n".join(lines)
