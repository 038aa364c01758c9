"""What a project's own files say: which app it has, which models its code names, which keys are at hand. Reads only."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from turnout.cli.code_values import Values
from turnout.cli.model_calls import (
    AskedModel,
    ModelCalls,
    ModelServer,
    SdkClient,
    family,
    find_calls,
    is_address,
    provider_at,
)

SKIPPED = frozenset(
    {"node_modules", "site-packages", "__pycache__", "venv", "env", "build", "dist", "tests", "test", "migrations"}
)
MOST_FILES, MOST_BYTES = 2_000, 1_000_000
FRAMEWORKS = {"FastAPI": "FastAPI", "Starlette": "Starlette", "Flask": "Flask",
              "get_wsgi_application": "Django", "get_asgi_application": "Django (ASGI)"}  # fmt: skip
# A text in code that names a chat model.
MODEL = re.compile(
    r"(?:[a-z_]+[/:])?(?:gpt-[345][\w.-]*|chatgpt-[\w.-]+|o[134](?:-[\w.-]+)?|claude-[\w.-]+|gemini-[\w.-]+|"
    r"(?:open-)?mi[sx]tral-[\w.-]+|deepseek-(?:chat|reasoner)|grok-[\w.-]+|command-[\w.-]+)"
)
# Named so, they are no chat models.
OTHER_KINDS = re.compile(r"embed|tts|whisper|image|audio|realtime|moderation|transcribe")
# The variables that a provider's key is in, as litellm reads them, by its name for the provider.
KEYS = {
    "OPENAI_API_KEY": "openai", "ANTHROPIC_API_KEY": "anthropic", "GEMINI_API_KEY": "gemini",
    "GOOGLE_API_KEY": "gemini", "AZURE_API_KEY": "azure", "AZURE_OPENAI_API_KEY": "azure",
    "AWS_BEARER_TOKEN_BEDROCK": "bedrock", "MISTRAL_API_KEY": "mistral", "DEEPSEEK_API_KEY": "deepseek",
    "XAI_API_KEY": "xai", "GROQ_API_KEY": "groq", "OPENROUTER_API_KEY": "openrouter", "COHERE_API_KEY": "cohere_chat",
    "CO_API_KEY": "cohere_chat", "TOGETHERAI_API_KEY": "together_ai", "TOGETHER_AI_API_KEY": "together_ai",
    "FIREWORKS_API_KEY": "fireworks_ai", "FIREWORKS_AI_API_KEY": "fireworks_ai", "PERPLEXITYAI_API_KEY": "perplexity",
    "PERPLEXITY_API_KEY": "perplexity", "CEREBRAS_API_KEY": "cerebras", "SAMBANOVA_API_KEY": "sambanova",
    "DEEPINFRA_API_KEY": "deepinfra", "NEBIUS_API_KEY": "nebius", "NOVITA_API_KEY": "novita",
    "MOONSHOT_API_KEY": "moonshot", "DASHSCOPE_API_KEY": "dashscope", "ZAI_API_KEY": "zai",
    # The last: most who have it have it for something else.
    "AWS_ACCESS_KEY_ID": "bedrock",
}  # fmt: skip
# The variables that the SDKs read another server's address from.
ADDRESS_VARIABLES = ("OPENAI_BASE_URL", "OPENAI_API_BASE")
# What reads a .env file into the environment, by the name it is imported by, or called with.
LOADERS = frozenset({"dotenv", "environ", "environs", "decouple", "dynaconf", "starlette.config"})
LOADING_ARGUMENTS = frozenset({"env_file", "_env_file", "env_file_encoding"})
# And outside of the code: uvicorn's and Docker's options.
LOADING_FILES = ("Procfile", "Makefile", "compose.yml", "compose.yaml", "docker-compose.yml", "docker-compose.yaml",
                 "justfile", ".flaskenv")  # fmt: skip
LOADING_WORDS = ("env_file", "--env-file", "dotenv", "python-dotenv")
# A line of a .env file. Of most only the name is looked at; of these the value: whom and what the code asks.
ENV_LINE = re.compile(r"\s*(?:export\s+)?([A-Z][A-Z0-9_]*)\s*=\s*(\S+)")
READ_VARIABLES = re.compile(r"\w*(?:BASE_URL|API_BASE|ENDPOINT|MODEL|MODEL_NAME|DEPLOYMENT)")


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundApp:
    """Where an app is made. file: relative to the project. indent: of its line, in a factory."""

    framework: str
    file: str
    line: int
    variable: str
    indent: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """apps: as found, those made at the top of a file first. models: named in the code, by litellm's names, those that
    calls name first. providers: whose keys are at hand, those of the environment first. unloaded: of these, whose key
    is in a .env file alone that nothing here reads. address: of the server that the code asks in place of a provider's;
    "" for none. has_redis: whether REDIS_URL is at hand."""

    apps: tuple[FoundApp, ...] = ()
    models: tuple[AskedModel, ...] = ()
    providers: tuple[str, ...] = ()
    unloaded: tuple[str, ...] = ()
    address: str = ""
    has_redis: bool = False
    clients: tuple[SdkClient, ...] = ()


def scan(folder: Path, environ: Mapping[str, str]) -> Project:
    """The project in this folder. Files that are no Python are passed over."""
    trees = dict(_trees(folder))
    written = dict(_env_files(folder))
    readable = {name: text for name, text in written.items() if READ_VARIABLES.fullmatch(name)}
    set_there = {name: text for name, text in environ.items() if text}
    found = _Found()
    for file, tree in trees.items():
        found.read(tree, file)
    variables = {**readable, **set_there}
    addresses = [variables[name] for name in ADDRESS_VARIABLES if name in variables] + found.addresses
    default = next(
        (ModelServer(provider_at(each) or "openai", "" if provider_at(each) else each) for each in addresses), None
    )
    calls = find_calls(trees, Values(trees, variables), default)
    servers = [*([default] if default else []), *calls.servers]
    at_hand = dict.fromkeys([p for key, p in KEYS.items() if key in set_there])
    in_files = dict.fromkeys([p for key, p in KEYS.items() if key in written and p not in at_hand])
    providers = [*at_hand, *in_files]
    # Whom the code asks by address goes before whose key lies about.
    asked_first = [each.provider for each in servers if each.provider in providers and not each.address]
    loaded = found.loads_env or _is_loaded_elsewhere(folder)
    return Project(
        apps=tuple(sorted(found.apps, key=lambda app: (len(app.indent), app.file, app.line))),
        models=tuple(dict.fromkeys([*calls.models, *_named_elsewhere(found.texts, calls, default)])),
        providers=tuple(dict.fromkeys([*asked_first, *providers])),
        unloaded=() if loaded else tuple(in_files),
        address=next((each.address for each in servers if each.address), ""),
        has_redis="REDIS_URL" in {*set_there, *written},
        clients=tuple(calls.clients),
    )


def _trees(folder: Path) -> Iterator[tuple[str, ast.Module]]:
    for file in _python_files(folder):
        try:
            yield str(file.relative_to(folder)), ast.parse(file.read_text("utf-8"))
        except (OSError, SyntaxError, ValueError, RecursionError):
            continue


def _named_elsewhere(texts: Mapping[str, int], calls: ModelCalls, default: ModelServer | None) -> Iterator[AskedModel]:
    """The models that the code names beside its calls, commonest first."""
    server = default or next((each for each in calls.servers if each.provider == "openai"), None)
    for text in sorted(texts, key=lambda each: -texts[each]):
        name = text.replace(":", "/", 1) if "/" not in text else text
        if "/" not in name:
            name = f"{family(name)}/{name}"
        if text not in calls.texts and name not in {model.name for model in calls.models}:
            is_there = name.startswith("openai/") and server is not None and server.address
            yield AskedModel(name, server if server and is_there else ModelServer(name.partition("/")[0]))


class _Found:
    """What the files read so far say."""

    def __init__(self) -> None:
        self.apps: list[FoundApp] = []
        self.texts: dict[str, int] = {}
        self.addresses: list[str] = []
        self.loads_env = False

    def read(self, tree: ast.Module, file: str) -> None:
        self.apps += _apps(tree, file)
        for node in ast.walk(tree):
            match node:
                case ast.Constant(value=str(text)) if len(text) < 80 and _is_model(text):
                    self.texts[text] = self.texts.get(text, 0) + 1
                case ast.keyword(arg=str(name), value=ast.Constant(value=str())):
                    self.loads_env |= name in LOADING_ARGUMENTS
                case ast.Call(args=[ast.Constant(value=name), *given]) if _is_base(name):
                    # os.environ.get("OPENAI_BASE_URL", "http://...") and its like.
                    texts = [each.value for each in given if isinstance(each, ast.Constant)]
                    self.addresses += [str(text) for text in texts if is_address(text)]
                case ast.Import(names=names):
                    self.loads_env |= any(each.name in LOADERS for each in names)
                case ast.ImportFrom(module=str(module)):
                    self.loads_env |= module in LOADERS
                case ast.Dict(keys=keys):
                    self.loads_env |= any(
                        isinstance(key, ast.Constant) and key.value in LOADING_ARGUMENTS for key in keys
                    )


def _name_of(called: ast.expr) -> str:
    return called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")


def _is_model(text: str) -> bool:
    return bool(MODEL.fullmatch(text)) and not OTHER_KINDS.search(text)


def _is_base(name: object) -> bool:
    return name in ADDRESS_VARIABLES


def _is_loaded_elsewhere(folder: Path) -> bool:
    """Whether a file that starts the app says so."""
    for name in LOADING_FILES:
        try:
            text = (folder / name).read_text("utf-8")
        except (OSError, ValueError):
            continue
        if any(word in text for word in LOADING_WORDS):
            return True
    return False


def _python_files(folder: Path) -> Iterator[Path]:
    count = 0
    for place, folders, files in os.walk(folder):
        # In place: what is taken out is not walked.
        folders[:] = sorted(
            name for name in folders
            if name not in SKIPPED and not name.startswith(".") and not Path(place, name, "pyvenv.cfg").exists()
        )  # fmt: skip
        for name in sorted(files):
            file = Path(place, name)
            if name.endswith(".py") and file.stat().st_size <= MOST_BYTES:
                count += 1
                if count > MOST_FILES:
                    return
                yield file


def _apps(tree: ast.Module, file: str) -> Iterator[FoundApp]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Assign | ast.AnnAssign) or not isinstance(value := node.value, ast.Call):
            continue
        called = _name_of(value.func)
        target = node.targets[0] if isinstance(node, ast.Assign) else node.target
        if called in FRAMEWORKS and isinstance(target, ast.Name):
            yield FoundApp(
                framework=FRAMEWORKS[called],
                file=file,
                line=value.end_lineno or value.lineno,
                variable=target.id,
                indent=" " * node.col_offset,
            )


def _env_files(folder: Path) -> Iterator[tuple[str, str]]:
    for name in (".env", ".env.local"):
        try:
            lines = (folder / name).read_text("utf-8").splitlines()
        except (OSError, ValueError):
            continue
        yield from ((found[1], found[2].strip("\"'")) for line in lines if (found := ENV_LINE.match(line)))
