"""instructor over the openai SDK: an object by a tool, and by a JSON schema."""

from __future__ import annotations

import instructor
from pydantic import BaseModel
from report import BASE, QUESTION, holds, http_client, report

from openai import OpenAI

ASK = [{"role": "user", "content": QUESTION}]


class City(BaseModel):
    city: str


def made_by(mode: instructor.Mode) -> City:
    sdk = OpenAI(base_url=f"{BASE}/v1", api_key="-", max_retries=0, http_client=http_client("httpx"))
    client = instructor.from_openai(sdk, mode=mode)
    return client.chat.completions.create(model="auto", messages=ASK, response_model=City)


def tools() -> None:
    made = made_by(instructor.Mode.TOOLS)
    holds(made.city == "Oslo", made)


def structured() -> None:
    made = made_by(instructor.Mode.JSON_SCHEMA)
    holds(made.city == "Oslo", made)


report(tools=tools, structured=structured)
