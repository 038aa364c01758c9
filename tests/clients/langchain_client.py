"""LangChain: ChatOpenAI over chat and over Responses, OpenAIEmbeddings, ChatAnthropic."""

from __future__ import annotations

from typing import Any

from langchain_anthropic import ChatAnthropic
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from pydantic import BaseModel
from report import ANSWER, BASE, QUESTION, VECTOR, NoWayIn, async_http_client, holds, http_client, in_process, report

SERVED = {
    "base_url": f"{BASE}/v1",
    "api_key": "-",
    "max_retries": 0,
    "http_client": http_client("httpx"),
    "http_async_client": async_http_client("httpx"),
}
chat_model = ChatOpenAI(**SERVED, model="auto")
responses_model = ChatOpenAI(**SERVED, model="auto", use_responses_api=True)
claude = ChatAnthropic(model="auto", base_url=BASE, api_key="-", max_retries=0)


class City(BaseModel):
    """A city."""

    city: str


def text_of(message: Any) -> str:
    text = message.text
    return text if isinstance(text, str) else text()


def chat() -> None:
    holds(text_of(chat_model.invoke(QUESTION)) == ANSWER, "chat")


def stream() -> None:
    text = "".join(text_of(chunk) for chunk in chat_model.stream(QUESTION))
    holds(text == ANSWER, text)


def tools() -> None:
    made = chat_model.bind_tools([City]).invoke(QUESTION)
    holds(made.tool_calls[0]["args"] == {"city": "Oslo"}, made)


def structured() -> None:
    made = chat_model.with_structured_output(City).invoke(QUESTION)
    holds(made == City(city="Oslo"), made)


def responses() -> None:
    holds(text_of(responses_model.invoke(QUESTION)) == ANSWER, "responses")
    text = "".join(text_of(chunk) for chunk in responses_model.stream(QUESTION))
    holds(text == ANSWER, text)


def responses_tools() -> None:
    made = responses_model.bind_tools([City]).invoke(QUESTION)
    holds(made.tool_calls[0]["args"] == {"city": "Oslo"}, made)


def embeddings() -> None:
    # Else it counts tokens with a tokenizer that it fetches over the network.
    model = OpenAIEmbeddings(**SERVED, model="text-embedding-3-small", check_embedding_ctx_length=False)
    holds(model.embed_documents(["a", "b"]) == [VECTOR, VECTOR], "embeddings")


def messages() -> None:
    if in_process():
        raise NoWayIn
    holds(text_of(claude.invoke(QUESTION)) == ANSWER, "messages")
    text = "".join(text_of(chunk) for chunk in claude.stream(QUESTION))
    holds(text == ANSWER, text)
    made = claude.bind_tools([City]).invoke(QUESTION)
    holds(made.tool_calls[0]["args"] == {"city": "Oslo"}, made)


report(
    chat=chat,
    stream=stream,
    tools=tools,
    structured=structured,
    responses=responses,
    responses_tools=responses_tools,
    embeddings=embeddings,
    messages=messages,
)
