"""Where a project's code asks a model: which clients it makes, which models it names to them, at which server."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from turnout.cli.code_values import Values

# Whose address a base_url is: asked by name, it needs none.
HOSTS = {
    "api.openai.com": "openai", "api.anthropic.com": "anthropic", "generativelanguage.googleapis.com": "gemini",
    "api.mistral.ai": "mistral", "api.deepseek.com": "deepseek", "api.x.ai": "xai", "api.groq.com": "groq",
    "openrouter.ai": "openrouter", "api.together.xyz": "together_ai", "api.together.ai": "together_ai",
    "api.fireworks.ai": "fireworks_ai", "api.perplexity.ai": "perplexity", "api.cerebras.ai": "cerebras",
    "api.sambanova.ai": "sambanova", "api.deepinfra.com": "deepinfra", "api.studio.nebius.com": "nebius",
    "api.studio.nebius.ai": "nebius", "api.novita.ai": "novita", "api.moonshot.ai": "moonshot",
    "dashscope.aliyuncs.com": "dashscope", "dashscope-intl.aliyuncs.com": "dashscope", "api.z.ai": "zai",
}  # fmt: skip
AZURE_HOSTS = (".openai.azure.com", ".cognitiveservices.azure.com", ".services.ai.azure.com")
# How code calls the address of another server than the provider's own.
ADDRESS_ARGUMENTS = (
    "base_url", "api_base", "openai_api_base", "azure_endpoint", "anthropic_api_url", "api_url", "host"
)  # fmt: skip
MODEL_ARGUMENTS = ("model", "model_name", "azure_deployment", "deployment_name")
# Turnout's own, which its transport answers.
OWN_HOST = "turnout"
OWN_NAMES = frozenset({"auto", "cheap", "expensive"})
# Where Ollama listens, unless told otherwise: its own protocol beside OpenAI's.
OLLAMA = "http://localhost:11434/v1"
# Classes of clients: whose library (the beginning of the module's name), what we call them, whose models.
CLIENTS = (
    ("openai", "OpenAI", "openai"), ("openai", "AsyncOpenAI", "openai"),
    ("openai", "AzureOpenAI", "azure"), ("openai", "AsyncAzureOpenAI", "azure"),
    ("anthropic", "Anthropic", "anthropic"), ("anthropic", "AsyncAnthropic", "anthropic"),
    ("langchain", "ChatOpenAI", "openai"), ("langchain", "AzureChatOpenAI", "azure"),
    ("langchain", "ChatAnthropic", "anthropic"), ("langchain", "ChatOllama", "ollama"),
    ("llama_index", "OpenAI", "openai"), ("llama_index", "AzureOpenAI", "azure"),
    ("llama_index", "Anthropic", "anthropic"), ("llama_index", "Ollama", "ollama"),
    ("llama_index", "OpenAILike", "openai"), ("ollama", "Client", "ollama"), ("ollama", "AsyncClient", "ollama"),
)  # fmt: skip
LITELLM = frozenset({"completion", "acompletion"})
# A call with one of these in its dotted name asks for no chat.
_OTHER_CALLS = re.compile(r"embed|image|audio|speech|transcri|moderation|fine_tun|rerank")
_CHAT_CALLS = re.compile(r"completions|messages|responses|chat|completion")


@dataclass(frozen=True, slots=True, kw_only=True)
class SdkClient:
    """Where the code asks a provider by itself: a client that it makes, or litellm's function that it calls. library:
    openai, anthropic, langchain, llama_index, ollama or litellm."""

    library: str
    name: str
    file: str
    line: int


@dataclass(frozen=True, slots=True)
class ModelServer:
    """Whom a client asks. address: where that is not the provider's own."""

    provider: str
    address: str = ""
    api_version: str = ""


@dataclass(frozen=True, slots=True)
class AskedModel:
    """A model by litellm's name for it, and the server that is asked for it."""

    name: str
    server: ModelServer


@dataclass(slots=True)
class ModelCalls:
    """clients: those that are not Turnout's already. models: as the calls name them. texts: the same as they stand in
    the code. servers: those that clients are made for, and calls name."""

    clients: list[SdkClient] = field(default_factory=list)
    models: list[AskedModel] = field(default_factory=list)
    texts: set[str] = field(default_factory=set)
    servers: list[ModelServer] = field(default_factory=list)


def provider_at(address: str) -> str:
    """Whose address it is; "" for nobody's that is known."""
    host = urlsplit(address).hostname or ""
    return HOSTS.get(host) or ("azure" if host.endswith(AZURE_HOSTS) else "")


def is_address(text: object) -> bool:
    """Whether the text is the address of a server other than Turnout itself."""
    return isinstance(text, str) and text.startswith(("http://", "https://")) and urlsplit(text).hostname != OWN_HOST


def find_calls(trees: Mapping[str, ast.Module], values: Values, default: ModelServer | None) -> ModelCalls:
    """The calls of all files. default: whom OpenAI's clients ask that name no address; None: OpenAI."""
    reader = _Reader(values, default)
    for file, tree in trees.items():
        for node in ast.walk(tree):
            reader.note_client(node, file)
    for file, tree in trees.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                reader.note_model(node, file)
    reader.found.servers += reader.servers.values()
    return reader.found


class _Reader:
    def __init__(self, values: Values, default: ModelServer | None) -> None:
        self.found = ModelCalls()
        self._values = values
        self._default = default
        # By the name of the variable or attribute that holds the client: of its file, and of any.
        self.servers: dict[tuple[str, str], ModelServer] = {}

    def note_client(self, node: ast.AST, file: str) -> None:
        """Which server a client is of, where it is made and kept under a name; or where it is made alone."""
        if isinstance(node, ast.Assign | ast.AnnAssign | ast.Return | ast.With | ast.AsyncWith | ast.Expr):
            for name, call in _kept(node):
                if (client := self._client(call, file)) is not None:
                    self.servers.setdefault((file, name), self._server(call, client[2], file))
        if isinstance(node, ast.Call) and (client := self._client(node, file)) is not None:
            self.servers.setdefault((file, ""), self._server(node, client[2], file))
            if not self._is_routed(node, file):
                self._tell(client[0], client[1], node, file)

    def note_model(self, node: ast.Call, file: str) -> None:
        """The model that a call names, by litellm's name."""
        path = self._values.path(node.func, file)
        if not path or _OTHER_CALLS.search(path):
            return
        client = self._client(node, file)
        litellm = client is None and path.rpartition(".")[2] in LITELLM
        if client is None and not litellm and not _CHAT_CALLS.search(path):
            return
        given = _argument(node, MODEL_ARGUMENTS)
        if given is None and node.args and (litellm or (client or ("",))[0] == "llama_index"):
            given = node.args[0]
        texts = list(dict.fromkeys(self._values.texts(given, file)))
        if litellm:
            server = self._server(node, "", file)
            self.found.servers.append(server)
            # `turnout/auto` is ours already.
            if not any(text.startswith("turnout/") for text in texts):
                self._tell("litellm", path.rpartition(".")[2], node, file)
        elif client is not None:
            server = self._server(node, client[2], file)
        else:
            server = self._server_of(node.func, path, file)
        for text in texts:
            self._note(text, server, litellm=litellm)

    def _note(self, text: str, server: ModelServer, *, litellm: bool) -> None:
        text = text.strip()
        if not text or " " in text or text in OWN_NAMES or text.startswith("turnout/"):
            return
        self.found.texts.add(text)
        if litellm and "/" in text:
            server = ModelServer(text.partition("/")[0], server.address, server.api_version)
            self.found.models.append(AskedModel(text, server))
            return
        provider = server.provider or family(text)
        name = text if text.startswith(f"{provider}/") and not server.address else f"{provider}/{text}"
        self.found.models.append(AskedModel(name, ModelServer(provider, server.address, server.api_version)))

    def _client(self, node: ast.Call, file: str) -> tuple[str, str, str] | None:
        module, _, name = self._values.path(node.func, file).rpartition(".")
        for client in CLIENTS:
            if client[1] == name and (not module or _is_of(client[0], module)):
                return client
        return None

    def _server(self, node: ast.Call, provider: str, file: str) -> ModelServer:
        """Whom a client, or one call, asks by the address that it is given."""
        texts = self._values.texts(_argument(node, ADDRESS_ARGUMENTS), file)
        address = next(filter(is_address, texts), "")
        version = self._values.text(_argument(node, ("api_version", "openai_api_version")), file)
        if provider == "ollama":
            return ModelServer("openai", f"{address.rstrip('/').removesuffix('/v1')}/v1" if address else OLLAMA)
        if not address:
            is_plain = provider == "openai" and _argument(node, ADDRESS_ARGUMENTS) is None
            return self._default if is_plain and self._default is not None else ModelServer(provider, "", version)
        known = provider_at(address)
        if known and known != "azure":
            return ModelServer(known)
        return ModelServer(known or provider or "openai", address, version)

    def _server_of(self, called: ast.expr, path: str, file: str) -> ModelServer:
        """The server of the client that the call is made on: by its name in this file, by its name in any, else the
        one client of this file, or of all."""
        if path.startswith("ollama."):
            return ModelServer("openai", OLLAMA)
        names = _names_in(called)
        here = [server for (place, name), server in self.servers.items() if place == file and name in names]
        anywhere = [server for (_, name), server in self.servers.items() if name and name in names]
        of_file = [server for (place, _), server in self.servers.items() if place == file]
        for choice in (here[:1], anywhere[:1], of_file, list(self.servers.values())):
            if len(set(choice)) == 1:
                return choice[0]
        return ModelServer("")

    def _is_routed(self, node: ast.Call, file: str) -> bool:
        """Whether the client has a transport of its own, or Turnout's address."""
        address = self._values.text(_argument(node, ADDRESS_ARGUMENTS), file)
        named = ("http_client", "http_async_client", "async_http_client")
        return _argument(node, named) is not None or urlsplit(address).hostname == OWN_HOST

    def _tell(self, library: str, name: str, node: ast.Call, file: str) -> None:
        self.found.clients.append(SdkClient(library=library, name=name, file=file, line=node.lineno))


# Whose a model is whose name says no provider.
FAMILIES = (("claude-", "anthropic"), ("gemini-", "gemini"), ("mistral-", "mistral"), ("open-mi", "mistral"),
            ("deepseek-", "deepseek"), ("grok-", "xai"), ("command-", "cohere_chat"), ("", "openai"))  # fmt: skip


def family(model: str) -> str:
    """The provider of a model whose name says none."""
    return next(provider for start, provider in FAMILIES if model.startswith(start))


def _is_of(library: str, module: str) -> bool:
    """Whether a module is a library's, or another one's that stands in for it: `langfuse.openai`."""
    return module.startswith(library) or (module.endswith(f".{library}") and not module.startswith("llama_index"))


def _argument(node: ast.Call, names: tuple[str, ...]) -> ast.expr | None:
    return next((each.value for each in node.keywords if each.arg in names), None)


def _kept(node: ast.stmt) -> Iterator[tuple[str, ast.Call]]:
    """The names under which a statement keeps what it calls; a function's own for what it returns is not known."""
    match node:
        case ast.Assign(targets=[target, *_], value=ast.Call() as call):
            yield from ((name, call) for name in _names_in(target)[:1])
        case ast.AnnAssign(target=target, value=ast.Call() as call):
            yield from ((name, call) for name in _names_in(target)[:1])
        case ast.With(items=items) | ast.AsyncWith(items=items):
            for item in items:
                if isinstance(item.context_expr, ast.Call) and item.optional_vars is not None:
                    yield from ((name, item.context_expr) for name in _names_in(item.optional_vars)[:1])


def _names_in(node: ast.expr) -> list[str]:
    """The attributes and the name of `a.b.c`, the last first."""
    names = []
    while isinstance(node, ast.Attribute | ast.Call):
        if isinstance(node, ast.Attribute):
            names.append(node.attr)
            node = node.value
        else:
            node = node.func
    return [*names, *([node.id] if isinstance(node, ast.Name) else [])]
