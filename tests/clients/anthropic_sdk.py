"""anthropic: messages, stream, tools, count_tokens, and the shape of Claude Code's requests."""

from __future__ import annotations

from anthropic import Anthropic
from report import ANSWER, BASE, QUESTION, holds, http_client, report

client = Anthropic(base_url=BASE, api_key="key", max_retries=0, http_client=http_client("httpx2"))
ASK = [{"role": "user", "content": QUESTION}]
TOOL = {
    "name": "weather",
    "description": "The weather of a city",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


def messages() -> None:
    made = client.messages.create(model="auto", max_tokens=50, messages=ASK)
    holds(made.content[0].text == ANSWER, made)


def stream() -> None:
    with client.messages.stream(model="auto", max_tokens=50, messages=ASK) as events:
        text = "".join(events.text_stream)
    holds(text == ANSWER, text)


def tools() -> None:
    made = client.messages.create(model="auto", max_tokens=50, messages=ASK, tools=[TOOL])
    call = next(block for block in made.content if block.type == "tool_use")
    holds(call.input == {"city": "Oslo"}, call)
    result = {"type": "tool_result", "tool_use_id": call.id, "content": "sunny"}
    said = [*ASK, {"role": "assistant", "content": made.content}, {"role": "user", "content": [result]}]
    more = client.messages.create(model="auto", max_tokens=50, messages=said, tools=[TOOL])
    holds(more.content[0].text == ANSWER, more)


def count_tokens() -> None:
    counted = client.messages.count_tokens(model="auto", messages=ASK, tools=[TOOL], system="Be brief.")
    holds(counted.input_tokens > 0, counted)


def claude_code() -> None:
    marked = {"cache_control": {"type": "ephemeral"}}
    system = [{"type": "text", "text": "You are Claude Code."}, {"type": "text", "text": "# Rules", **marked}]
    said = [{"role": "user", "content": [{"type": "text", "text": QUESTION, **marked}]}]
    with client.beta.messages.stream(
        model="auto",
        max_tokens=32000,
        system=system,
        messages=said,
        tools=[TOOL],
        metadata={"user_id": "user_account__session_1"},
        thinking={"type": "enabled", "budget_tokens": 4000},
        betas=["claude-code-20250219", "interleaved-thinking-2025-05-14"],
    ) as events:
        made = events.get_final_message()
    holds(made.stop_reason == "tool_use", made)


report(messages=messages, stream=stream, tools=tools, count_tokens=count_tokens, claude_code=claude_code)
