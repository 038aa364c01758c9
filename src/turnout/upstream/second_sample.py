"""One more cheap answer, asked for beside the first: whether the two agree is a sign of whether the first is right.

It is never served, and never in the first one's way: tried once, paid out of money reserved for it alone, not waited
for much longer than the first took. Whatever becomes of it, the request goes on.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Self

from turnout.errors import ServedError
from turnout.openai.answers import Body
from turnout.ports.runtime import Clock
from turnout.upstream.call_trace import CallTrace, UpstreamCall
from turnout.upstream.chain import Chain

log = logging.getLogger("turnout")

# In seconds: how long it is waited for at least once the first answer is here, and at most how long its end is.
LEAST_WAIT_S = 0.5
END_S = 5.0


class SecondSample:
    """`async with` it around the first call. Where the block ends without it, it is cancelled and its cost recorded in
    the trace, `beside`."""

    def __init__(self, chain: Chain, clock: Clock, call: UpstreamCall, trace: CallTrace) -> None:
        self._chain = chain
        self._clock = clock
        self._call = call
        self._trace = trace
        self._began = clock.monotonic()

    async def __aenter__(self) -> Self:
        self._trace.beside = beside = CallTrace()
        self._task = asyncio.create_task(self._ask(beside), name="turnout.second-sample")
        return self

    async def __aexit__(self, *_: object) -> None:
        if not self._task.done():
            self._task.cancel()
            await asyncio.wait({self._task}, timeout=END_S)

    async def text(self) -> str | None:
        """Its text, waited for as long again as the first answer took; None where none came, or not in time."""
        now = self._clock.monotonic()
        by = min(self._call.deadline, now + max(LEAST_WAIT_S, now - self._began))
        try:
            with self._trace.listening(self._clock):
                async with self._clock.timeout_at(by):
                    return await asyncio.shield(self._task)
        except TimeoutError:
            return None

    async def _ask(self, beside: CallTrace) -> str | None:
        try:
            return text_of(await self._chain.complete(self._call, beside))
        except Exception as error:
            if not isinstance(error, ServedError):
                log.exception("a second cheap answer failed")
            return None


def text_of(body: Body) -> str | None:
    """The answer's text; None where it is none, or more than one."""
    choices: Any = body.get("choices") or [{}]
    message = choices[0].get("message") or {}
    content = message.get("content")
    return content if isinstance(content, str) and not message.get("tool_calls") else None
