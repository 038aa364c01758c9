"""pydantic-ai: OpenAI's chat and Responses models, Anthropic's model; tools, typed outputs, streams."""

from __future__ import annotations

import asyncio

from pydantic import BaseModel
from pydantic_ai import Agent
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.openai import OpenAIProvider
from report import ANSWER, BASE, QUESTION, async_http_client, holds, report

openai = OpenAIProvider(base_url=f"{BASE}/v1", api_key="-", http_client=async_http_client("httpx"))
chat_model = OpenAIChatModel("auto", provider=openai)
responses_model = OpenAIResponsesModel("auto", provider=openai)
anthropic = AnthropicProvider(base_url=BASE, api_key="-", http_client=async_http_client("httpx2"))
claude = AnthropicModel("auto", provider=anthropic)


class City(BaseModel):
    city: str


def with_tool(model: object) -> tuple[str, list[str]]:
    asked: list[str] = []
    agent = Agent(model)

    @agent.tool_plain
    def weather(city: str) -> str:
        """The weather of a city."""
        asked.append(city)
        return "sunny"

    return agent.run_sync(QUESTION).output, asked


def chat() -> None:
    text = Agent(chat_model, instructions="Be brief.").run_sync(QUESTION).output
    holds(text == ANSWER, text)


def stream() -> None:
    async def main() -> str:
        async with Agent(chat_model).run_stream(QUESTION) as result:
            return await result.get_output()

    text = asyncio.run(main())
    holds(text == ANSWER, text)


def tools() -> None:
    holds(with_tool(chat_model) == (ANSWER, ["Oslo"]), "tools")


def structured() -> None:
    made = Agent(chat_model, output_type=City).run_sync(QUESTION).output
    holds(made == City(city="Oslo"), made)


def responses() -> None:
    text = Agent(responses_model).run_sync(QUESTION).output
    holds(text == ANSWER, text)


def responses_tools() -> None:
    holds(with_tool(responses_model) == (ANSWER, ["Oslo"]), "responses_tools")


def messages() -> None:
    text = Agent(claude).run_sync(QUESTION).output
    holds(text == ANSWER, text)
    holds(with_tool(claude) == (ANSWER, ["Oslo"]), "messages, tools")


report(
    chat=chat,
    stream=stream,
    tools=tools,
    structured=structured,
    responses=responses,
    responses_tools=responses_tools,
    messages=messages,
)
