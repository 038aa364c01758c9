"""A LangChain app, unchanged but for how its model is made.

Before:

    model = ChatOpenAI(model="gpt-4o")

After: its requests are routed in-process, the awaited ones and the blocking ones.

    uvicorn examples.langchain_app:app
"""

from __future__ import annotations

import os

import httpx
from fastapi import FastAPI
from langchain_core.prompts import ChatPromptTemplate
from langchain_openai import ChatOpenAI
from pydantic import SecretStr

import turnout
from turnout.asgi import TurnoutMiddleware

app = FastAPI()
app.add_middleware(TurnoutMiddleware, config=os.environ.get("TURNOUT_CONFIG", "turnout.toml"))

model = ChatOpenAI(
    model="gpt-4o",
    api_key=SecretStr("-"),
    base_url="http://turnout/v1",
    http_client=httpx.Client(transport=turnout.transport()),
    http_async_client=httpx.AsyncClient(transport=turnout.transport()),
)
chain = ChatPromptTemplate.from_template("Answer in one sentence: {question}") | model


@app.get("/ask")
async def ask(question: str) -> dict[str, str]:
    """Awaited."""
    answer = await chain.ainvoke({"question": question})
    return {"answer": str(answer.content), "model": answer.response_metadata["model_name"]}


@app.get("/ask-thread")
def ask_in_a_thread(question: str) -> dict[str, str]:
    """Blocking, in a plain handler: FastAPI runs it in a thread."""
    answer = chain.invoke({"question": question})
    return {"answer": str(answer.content), "model": answer.response_metadata["model_name"]}
