"""LlamaIndex: OpenAILike and OpenAILikeEmbedding."""

from __future__ import annotations

from llama_index.core.llms import ChatMessage
from llama_index.core.tools import FunctionTool
from llama_index.embeddings.openai_like import OpenAILikeEmbedding
from llama_index.llms.openai_like import OpenAILike
from report import ANSWER, BASE, QUESTION, VECTOR, async_http_client, holds, http_client, report

SERVED = {
    "api_base": f"{BASE}/v1",
    "api_key": "-",
    "http_client": http_client("httpx"),
    "async_http_client": async_http_client("httpx"),
}
model = OpenAILike(
    **SERVED,
    model="auto",
    is_chat_model=True,
    is_function_calling_model=True,
    max_retries=0,
)


def weather(city: str) -> str:
    """The weather of a city."""
    return "sunny"


def chat() -> None:
    text = model.chat([ChatMessage(role="user", content=QUESTION)]).message.content
    holds(text == ANSWER, text)


def stream() -> None:
    text = "".join(part.delta or "" for part in model.stream_complete(QUESTION))
    holds(text == ANSWER, text)


def tools() -> None:
    made = model.chat_with_tools([FunctionTool.from_defaults(weather)], user_msg=QUESTION)
    calls = model.get_tool_calls_from_response(made)
    holds(calls[0].tool_kwargs == {"city": "Oslo"}, calls)


def embeddings() -> None:
    embedder = OpenAILikeEmbedding(**SERVED, model_name="text-embedding-3-small")
    holds(embedder.get_text_embedding("a") == VECTOR, "embeddings")


report(chat=chat, stream=stream, tools=tools, embeddings=embeddings)
