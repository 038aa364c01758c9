"""A provider on loopback that speaks the OpenAI protocol and solves tasks as well as its skill allows.

Runs as a process of its own: `python -m turnout.demo.provider_server --skill cheap --port 0` prints one JSON line
`{"port": ..., "model": ...}` when it is ready, and ends when its standard input closes, so that none is left
behind when its parent dies. server_process.py starts one from Python.
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

from turnout.demo.loopback_server import serve
from turnout.demo.provider_protocol import (
    CHARACTERS_PER_TOKEN,
    ChatRequest,
    Completion,
    InvalidRequest,
    count_tokens,
    error_response,
    parse_request,
)
from turnout.demo.solver.skills import SKILLS, Skill, solve

CHARACTERS_PER_CHUNK = 24
MODELS = {"cheap": "demo-small", "expensive": "demo-large"}


@dataclass(frozen=True, kw_only=True)
class Latency:
    """Seconds to the first token, and for each token of the completion."""

    first_token_s: float
    per_token_s: float


# about 20 to 60 ms, and 60 to 200 ms, over the completions of these skills
LATENCIES = {
    "cheap": Latency(first_token_s=0.020, per_token_s=0.001),
    "expensive": Latency(first_token_s=0.060, per_token_s=0.0007),
}


@dataclass(kw_only=True)
class Provider:
    """One model's server: its skill, its speed, and its totals so far.

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
                Route("/v1/chat/completions", self._chat, methods=["POST"]),
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

    async def _chat(self, request: Request) -> Response:
        try:
            chat_request = parse_request(await request.body(), self.model)
        except InvalidRequest as error:
            return error_response(error)
        completion = self._complete(chat_request)
        # Counted as soon as it is accepted, with all its tokens, even if the client leaves.
        self.stats["calls"] += 1
        self.stats["prompt_tokens"] += completion.prompt_tokens
        self.stats["completion_tokens"] += completion.completion_tokens
        if chat_request.stream:
            events = self._events(completion, chat_request.include_usage)
            return StreamingResponse(events, media_type="text/event-stream")
        latency = LATENCIES[self.skill.name]
        await self._pause(latency.first_token_s + latency.per_token_s * completion.completion_tokens)
        return JSONResponse(completion.as_object())

    def _complete(self, request: ChatRequest) -> Completion:
        text = solve(request.prompt, self.skill)
        kept = text if request.max_tokens is None else text[: request.max_tokens * CHARACTERS_PER_TOKEN]
        return Completion(
            model=self.model,
            text=kept,
            finish_reason="stop" if kept == text else "length",
            prompt_tokens=count_tokens(request.all_text),
            completion_tokens=count_tokens(kept),
        )

    async def _events(self, completion: Completion, include_usage: bool) -> AsyncIterator[str]:
        latency = LATENCIES[self.skill.name]
        yield _event(completion.chunk({"role": "assistant", "content": ""}))
        await self._pause(latency.first_token_s)
        for start in range(0, len(completion.text), CHARACTERS_PER_CHUNK):
            content = completion.text[start : start + CHARACTERS_PER_CHUNK]
            await self._pause(latency.per_token_s * count_tokens(content))
            yield _event(completion.chunk({"content": content}))
        yield _event(completion.chunk({}, finish_reason=completion.finish_reason))
        if include_usage:
            yield _event(completion.usage_chunk())
        yield "data: [DONE]\n\n"

    async def _pause(self, seconds: float) -> None:
        await asyncio.sleep(seconds / self.speed)


def _event(data: dict[str, Any]) -> str:
    return f"data: {json.dumps(data)}\n\n"


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return error_response(InvalidRequest(error.detail, status=error.status_code))


def main(arguments: list[str] | None = None) -> None:
    """Serves until standard input closes, or the process is interrupted or terminated."""
    parser = argparse.ArgumentParser(prog="turnout.demo.provider_server", description="A demo provider on loopback.")
    parser.add_argument("--skill", choices=sorted(SKILLS), required=True)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--speed", type=float, default=1.0, help="divides every latency; inf answers at once")
    options = parser.parse_args(arguments)
    if not options.speed > 0:
        parser.error("--speed must be above 0")
    provider = Provider(skill=SKILLS[options.skill], speed=options.speed)
    serve(provider.app(), port=options.port, fields={"model": provider.model})


if __name__ == "__main__":
    main()
