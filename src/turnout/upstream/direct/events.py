"""The data of server-sent events, out of a body's bytes as they come."""

from __future__ import annotations

import codecs
from collections.abc import AsyncGenerator, AsyncIterable

from turnout.attempt_errors import NoAnswer


async def event_data(pieces: AsyncIterable[bytes], most: int) -> AsyncGenerator[bytes, None]:
    """The `data` of each event, its lines joined by newlines; comments, names and empty events are left out.

    The last event counts without its blank line too. Raises NoAnswer for an event longer than `most` bytes.
    """
    parts: list[bytes] = []  # of a line whose end is not here yet
    lines: list[bytes] = []  # of an event whose end is not here yet
    size = 0  # of both
    begun = False
    async for piece in pieces:
        if not begun and piece:
            # A byte order mark may stand before a stream, and is none of it.
            begun, piece = True, piece.removeprefix(codecs.BOM_UTF8)
        parts.append(piece)
        if b"\n" in piece:
            *whole, rest = (b"".join(parts) if len(parts) > 1 else piece).split(b"\n")
            for line in whole:
                if line.startswith(b"data:"):
                    lines.append(line[5:].strip())
                elif lines and line in (b"", b"\r"):
                    yield lines[0] if len(lines) == 1 else b"\n".join(lines)
                    lines.clear()
            parts = [rest] if rest else []
            size = len(rest) + sum(map(len, lines))
        else:
            size += len(piece)
        if size > most:
            raise NoAnswer(f"an event of the stream is longer than {most} bytes")
    rest = b"".join(parts)
    if rest.startswith(b"data:"):
        lines.append(rest[5:].strip())
    if lines:
        yield b"\n".join(lines)
