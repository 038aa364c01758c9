"""How the clients that a project makes are made, so that Turnout routes their calls: what `turnout init` prints, as
docs/guides/existing_code.md has it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from turnout.cli.model_calls import SdkClient

_OPENAI = (
    '{name}(api_key="-", base_url="http://turnout/v1",',
    "    http_client=httpx.{http}(transport=turnout.transport()))",
)
# LangChain's takes a client of each kind.
_CHAT_OPENAI = (
    'ChatOpenAI(model=..., api_key="-", base_url="http://turnout/v1",',
    "    http_client=httpx.Client(transport=turnout.transport()),",
    "    http_async_client=httpx.AsyncClient(transport=turnout.transport()))",
)
LINES = {
    ("openai", "OpenAI"): _OPENAI,
    ("openai", "AzureOpenAI"): _OPENAI,
    ("anthropic", "Anthropic"): (
        '{name}(api_key="-", base_url="http://turnout",',
        "    http_client=httpx2.{http}(transport=turnout.transport()))",
    ),
    ("langchain", "ChatOpenAI"): _CHAT_OPENAI,
    ("langchain", "AzureChatOpenAI"): _CHAT_OPENAI,
    # It takes no client, so no transport.
    ("langchain", "ChatAnthropic"): _CHAT_OPENAI,
    ("langchain", "ChatOllama"): _CHAT_OPENAI,
    ("llama_index", "OpenAI"): (
        'OpenAI(model=..., api_key="-", api_base="http://turnout/v1",',
        "    http_client=httpx.Client(transport=turnout.transport()),",
        "    async_http_client=httpx.AsyncClient(transport=turnout.transport()))",
    ),
    ("litellm", "completion"): ('litellm.{name}("turnout/auto", ...)',),
}
# The files named at most.
MOST_PLACES = 3


def client_lines(clients: Sequence[SdkClient]) -> Iterator[str]:
    """A paragraph for each kind of client: where it is, and what to write there. Nothing for a library that has no way
    of its own to a transport."""
    kinds = dict.fromkeys((client.library, client.name) for client in clients)
    for library, name in kinds:
        lines = LINES.get((library, _plain(name)))
        if lines is None:
            continue
        places = [f"{each.file}:{each.line}" for each in clients if (each.library, each.name) == (library, name)]
        more = f" and {len(places) - MOST_PLACES} more" if len(places) > MOST_PLACES else ""
        words = {"name": name.replace("Azure", ""), "http": "AsyncClient" if name.startswith("Async") else "Client"}
        imported = "import httpx and turnout, and make it"
        if library == "anthropic":
            imported = "import turnout and httpx2 (before anthropic 2: httpx)"
        yield "\n".join(
            [
                f"{library}'s {name} asks a provider by itself, in {', '.join(places[:MOST_PLACES])}{more}.",
                f"So that it is routed, {'call' if library == 'litellm' else imported}:",
                *(f"    {line.format(**words)}" for line in lines),
            ]
        )


def _plain(name: str) -> str:
    """The name of the blocking one."""
    return "completion" if name == "acompletion" else name.removeprefix("Async")
