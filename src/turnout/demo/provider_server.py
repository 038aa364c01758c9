"""A provider on loopback that speaks the OpenAI protocol and solves tasks as well as its skill allows.

Runs as a process of its own: `python -m turnout.demo.provider_server --skill cheap --port 0` prints one JSON line
`{"port": ..., "model": ...}` when it is ready, and ends when its standard input closes, so that none is left
behind when its parent dies. `turnout.demo.provider_process` starts one from Python.
"""

import argparse
import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from turnout.demo.announcing import serve
from turnout.demo.provider_protocol import (
    CHARACTERS_PER_TOKEN,
    Asked,
    Refused,
    Reply,
    openai_error,
    read_request,
    tokens,
)
from turnout.demo.solver import SKILLS, Skill, solve

CHARACTERS_PER_CHUNK = 24
MODELS = {"cheap": "demo-small", "expensive": "demo-large"}


@dataclass(frozen=True, kw_only=True)
class Latency:
    """Seconds to the first token, and for each token of the reply."""

    first_s: float
    per_token_s: float


# about 20 to 60 ms, and 60 to 200 ms, over the replies of these skills
LATENCIES = {
    "cheap": Latency(first_s=0.020, per_token_s=0.001),
    "expensive": Latency(first_s=0.060, per_token_s=0.0007),
}


@dataclass(kw_only=True)
class Provider:
    """One model's server: its skill, its pace, and what it has been asked so far.

    `speed` divides every latency: 2 is twice as fast, and infinity answers at once.
    """

    skill: Skill
    speed: float = 1.0
    stats: dict[str, int] = field(default_factory=lambda: {"calls": 0, "prompt_tokens": 0, "completion_tokens": 0})

    @property
    def model(self) -> str:
        """The one model name it serves."""
        return MODELS[self.skill.name]

    def app(self) -> Starlette:
        """The ASGI app: chat completions, the list of models, and `GET /stats`."""
        return Starlette(
            routes=[
                Route("/v1/chat/completions", self._complete, methods=["POST"]),
                Route("/v1/models", self._models),
                Route("/stats", self._stats),
            ],
            exception_handlers={HTTPException: _http_error},
        )

    async def _models(self, request: Request) -> Response:
        entry = {"id": self.model, "object": "model", "created": 0, "owned_by": "turnout-demo"}
        return JSONResponse({"object": "list", "data": [entry]})

    async def _stats(self, request: Request) -> Response:
        return JSONResponse(self.stats)

    async def _complete(self, request: Request) -> Response:
        try:
            asked = read_request(await request.body(), self.model)
        except Refused as refused:
            return openai_error(refused)
        reply = self._reply(asked)
        self._count(reply)
        if asked.stream:
            return StreamingResponse(self._streamed(reply, asked.include_usage), media_type="text/event-stream")
        await self._pause(LATENCIES[self.skill.name].first_s)
        await self._pause(LATENCIES[self.skill.name].per_token_s * reply.completion_tokens)
        return JSONResponse(reply.whole())

    def _reply(self, asked: Asked) -> Reply:
        text = solve(asked.prompt, self.skill)
        kept = text if asked.max_tokens is None else text[: asked.max_tokens * CHARACTERS_PER_TOKEN]
        return Reply(
            model=self.model,
            text=kept,
            finish_reason="stop" if kept == text else "length",
            prompt_tokens=tokens(asked.all_text),
            completion_tokens=tokens(kept),
        )

    def _count(self, reply: Reply) -> None:
        """A call counts as soon as it is accepted, with all its tokens, even if the client leaves."""
        self.stats["calls"] += 1
        self.stats["prompt_tokens"] += reply.prompt_tokens
        self.stats["completion_tokens"] += reply.completion_tokens

    async def _streamed(self, reply: Reply, include_usage: bool) -> AsyncIterator[str]:
        latency = LATENCIES[self.skill.name]
        yield _event(reply.chunk({"role": "assistant", "content": ""}))
        await self._pause(latency.first_s)
        for start in range(0, len(reply.text), CHARACTERS_PER_CHUNK):
            piece = reply.text[start : start + CHARACTERS_PER_CHUNK]
            await self._pause(latency.per_token_s * tokens(piece))
            yield _event(reply.chunk({"content": piece}))
        yield _event(reply.chunk({}, finish_reason=reply.finish_reason))
        if include_usage:
            yield _event(reply.usage_chunk())
        yield "data: [DONE]\n\n"

    async def _pause(self, seconds: float) -> None:
        await asyncio.sleep(seconds / self.speed)


def _event(data: dict[str, Any]) -> str:
    return f"data: {json.dumps(data)}\n\n"


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return openai_error(Refused(error.detail, status=error.status_code))


def main(arguments: list[str] | None = None) -> None:
    """Serves until standard input closes, or the process is interrupted or terminated."""
    options = argparse.ArgumentParser(prog="turnout.demo.provider_server", description="A demo provider on loopback.")
    options.add_argument("--skill", choices=sorted(SKILLS), required=True)
    options.add_argument("--port", type=int, default=0, help="0 takes a free one")
    options.add_argument("--speed", type=float, default=1.0, help="divides every latency; inf answers at once")
    chosen = options.parse_args(arguments)
    if not chosen.speed > 0:
        options.error("--speed must be above 0")
    provider = Provider(skill=SKILLS[chosen.skill], speed=chosen.speed)
    serve(provider.app(), port=chosen.port, told={"model": provider.model})


if __name__ == "__main__":
    main()
