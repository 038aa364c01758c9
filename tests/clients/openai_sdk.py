"""openai-python, versions 2 and 3: chat, stream, tools, parse, responses, embeddings, completions."""

from __future__ import annotations

from pydantic import BaseModel
from report import ANSWER, BASE, QUESTION, VECTOR, holds, http_client, report

from openai import OpenAI

client = OpenAI(base_url=f"{BASE}/v1", api_key="-", max_retries=0, http_client=http_client("httpx"))
ASK = [{"role": "user", "content": QUESTION}]
PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


class City(BaseModel):
    city: str


def chat() -> None:
    text = client.chat.completions.create(model="auto", messages=ASK).choices[0].message.content
    holds(text == ANSWER, text)


def stream() -> None:
    chunks = client.chat.completions.create(model="auto", messages=ASK, stream=True)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    holds(text == ANSWER, text)


def tools() -> None:
    tool = {"type": "function", "function": {"name": "weather", "parameters": PARAMETERS}}
    made = client.chat.completions.create(model="auto", messages=ASK, tools=[tool])
    call = made.choices[0].message.tool_calls[0]
    holds(call.function.name == "weather", call)
    said = [*ASK, made.choices[0].message, {"role": "tool", "tool_call_id": call.id, "content": "sunny"}]
    text = client.chat.completions.create(model="auto", messages=said, tools=[tool]).choices[0].message.content
    holds(text == ANSWER, text)


def structured() -> None:
    made = client.chat.completions.parse(model="auto", messages=ASK, response_format=City)
    holds(made.choices[0].message.parsed == City(city="Oslo"), made)


def responses() -> None:
    first = client.responses.create(model="auto", input=QUESTION)
    holds(first.output_text == ANSWER, first)
    more = client.responses.create(model="auto", input="And 3 + 3?", previous_response_id=first.id)
    holds(client.responses.retrieve(more.id).output_text == ANSWER, more)
    with client.responses.stream(model="auto", input=QUESTION) as events:
        kinds = [event.type for event in events]
        holds(kinds[-1] == "response.completed", kinds)
        holds(events.get_final_response().output_text == ANSWER, kinds)
    parsed = client.responses.parse(model="auto", input=QUESTION, text_format=City)
    holds(parsed.output_parsed == City(city="Oslo"), parsed)


def responses_tools() -> None:
    tool = {"type": "function", "name": "weather", "parameters": PARAMETERS, "strict": False}
    made = client.responses.create(model="auto", input=QUESTION, tools=[tool])
    call = next(item for item in made.output if item.type == "function_call")
    output = {"type": "function_call_output", "call_id": call.call_id, "output": "sunny"}
    more = client.responses.create(model="auto", input=[output], tools=[tool], previous_response_id=made.id)
    holds(more.output_text == ANSWER, more)


def embeddings() -> None:
    made = client.embeddings.create(model="text-embedding-3-small", input=["a", "b"])
    holds([item.embedding for item in made.data] == [VECTOR, VECTOR], made)


def completions() -> None:
    text = client.completions.create(model="auto", prompt=QUESTION).choices[0].text
    holds(text == ANSWER, text)


report(
    chat=chat,
    stream=stream,
    tools=tools,
    structured=structured,
    responses=responses,
    responses_tools=responses_tools,
    embeddings=embeddings,
    completions=completions,
)
