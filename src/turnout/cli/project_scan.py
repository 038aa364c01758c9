"""What a project's own files say: which app it has, which models its code names, which keys are at hand. Reads only."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

SKIPPED = frozenset(
    {"node_modules", "site-packages", "__pycache__", "venv", "env", "build", "dist", "tests", "test", "migrations"}
)
MOST_FILES, MOST_BYTES = 2_000, 1_000_000
FRAMEWORKS = {"FastAPI": "FastAPI", "Starlette": "Starlette", "Flask": "Flask",
              "get_wsgi_application": "Django", "get_asgi_application": "Django (ASGI)"}  # fmt: skip
# A text in code that names a chat model.
MODEL = re.compile(
    r"(?:[a-z_]+/)?(?:gpt-[345][\w.-]*|chatgpt-[\w.-]+|o[134](?:-[\w.-]+)?|claude-[\w.-]+|gemini-[\w.-]+|"
    r"(?:open-)?mi[sx]tral-[\w.-]+|deepseek-(?:chat|reasoner)|grok-[\w.-]+|command-[\w.-]+)"
)
# Named so, they are no chat models.
OTHER_KINDS = re.compile(r"embed|tts|whisper|image|audio|realtime|moderation|transcribe")
KEYS = {"OPENAI_API_KEY": "openai", "ANTHROPIC_API_KEY": "anthropic", "GEMINI_API_KEY": "gemini",
        "MISTRAL_API_KEY": "mistral", "DEEPSEEK_API_KEY": "deepseek", "XAI_API_KEY": "xai"}  # fmt: skip
# A line of a .env file. Only the name is looked at.
ENV_LINE = re.compile(r"\s*(?:export\s+)?([A-Z][A-Z0-9_]*)\s*=\s*\S")


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """Where an app is made. file: relative to the project. indent: of its line, in a factory."""

    framework: str
    file: str
    line: int
    variable: str
    indent: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """apps: as found, those made at the top of a file first. models: named in the code, commonest first, by litellm's
    names where they have a provider. providers: whose keys are at hand. has_redis: whether REDIS_URL is."""

    apps: tuple[App, ...]
    models: tuple[str, ...]
    providers: tuple[str, ...]
    has_redis: bool


def scan(folder: Path, environ: Mapping[str, str]) -> Project:
    """The project in this folder. Files that are no Python are passed over."""
    apps: list[App] = []
    models: dict[str, int] = {}
    for file in _python_files(folder):
        try:
            tree = ast.parse(file.read_text("utf-8"))
        except (OSError, SyntaxError, ValueError, RecursionError):
            continue
        name = str(file.relative_to(folder))
        apps += _apps(tree, name)
        for model in _models(tree):
            models[model] = models.get(model, 0) + 1
    names = {name for name, value in environ.items() if value} | set(_env_files(folder))
    return Project(
        apps=tuple(sorted(apps, key=lambda app: (len(app.indent), app.file, app.line))),
        models=tuple(sorted(models, key=lambda model: -models[model])),
        providers=tuple(provider for key, provider in KEYS.items() if key in names),
        has_redis="REDIS_URL" in names,
    )


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


def _apps(tree: ast.Module, file: str) -> Iterator[App]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Assign | ast.AnnAssign) or not isinstance(value := node.value, ast.Call):
            continue
        called = value.func.attr if isinstance(value.func, ast.Attribute) else getattr(value.func, "id", "")
        target = node.targets[0] if isinstance(node, ast.Assign) else node.target
        if called in FRAMEWORKS and isinstance(target, ast.Name):
            yield App(
                framework=FRAMEWORKS[called],
                file=file,
                line=value.end_lineno or value.lineno,
                variable=target.id,
                indent=" " * node.col_offset,
            )


def _models(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            text = node.value
            if len(text) < 80 and MODEL.fullmatch(text) and not OTHER_KINDS.search(text):
                yield text


def _env_files(folder: Path) -> Iterator[str]:
    for name in (".env", ".env.local"):
        try:
            lines = (folder / name).read_text("utf-8").splitlines()
        except (OSError, ValueError):
            continue
        yield from (match[1] for line in lines if (match := ENV_LINE.match(line)))
