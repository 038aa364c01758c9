"""openai-agents with its default, the Responses protocol: an agent, a tool loop, a typed output, a stream."""

from __future__ import annotations

import asyncio
import os

from agents import Agent, Runner, function_tool, set_default_openai_client
from pydantic import BaseModel
from report import ANSWER, BASE, QUESTION, async_http_client, holds, report

from openai import AsyncOpenAI

os.environ |= {"OPENAI_BASE_URL": f"{BASE}/v1", "OPENAI_API_KEY": "-", "OPENAI_AGENTS_DISABLE_TRACING": "1"}
if (over_transport := async_http_client("httpx")) is not None:
    set_default_openai_client(AsyncOpenAI(http_client=over_transport))
# One for all checks: the client keeps its connections on it.
loop = asyncio.new_event_loop()
asyncio.set_event_loop(loop)


class City(BaseModel):
    city: str


asked: list[str] = []


@function_tool
def weather(city: str) -> str:
    """The weather of a city."""
    asked.append(city)
    return "sunny"


def responses() -> None:
    result = Runner.run_sync(Agent(name="a", instructions="Be brief.", model="auto"), QUESTION)
    holds(result.final_output == ANSWER, result.final_output)


def responses_tools() -> None:
    result = Runner.run_sync(Agent(name="a", model="auto", tools=[weather]), QUESTION)
    holds(result.final_output == ANSWER and asked == ["Oslo"], (result.final_output, asked))


def structured() -> None:
    result = Runner.run_sync(Agent(name="a", model="auto", output_type=City), QUESTION)
    holds(result.final_output == City(city="Oslo"), result.final_output)


def stream() -> None:
    async def main() -> str:
        result = Runner.run_streamed(Agent(name="a", model="auto"), QUESTION)
        async for _ in result.stream_events():
            pass
        return str(result.final_output)

    text = loop.run_until_complete(main())
    holds(text == ANSWER, text)


report(responses=responses, responses_tools=responses_tools, structured=structured, stream=stream)
