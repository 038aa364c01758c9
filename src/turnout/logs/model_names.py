"""One model under several names: with and without its provider, with and without the date of its release. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

# What stands before a colon and is no model: after any other word a colon begins a size, `llama3:8b`.
_PROVIDERS = frozenset(
    {"openai", "azure", "anthropic", "google", "vertex", "vertex_ai", "gemini", "bedrock", "mistral", "cohere", "groq",
     "together", "together_ai", "openrouter", "fireworks", "fireworks_ai", "deepseek", "xai", "ollama", "huggingface",
     "replicate", "perplexity", "databricks", "chat", "messages", "responses", "completion", "litellm", "azure_ai"}
)  # fmt: skip
# As Amazon names whose a model is: us.anthropic.claude-...
_VENDOR = re.compile(r"^(?:(?:us|eu|apac|global)\.)?(?:anthropic|amazon|meta|mistral|cohere|ai21|deepseek)\.(?=[a-z])")
# -2024-08-06, -20240806, @20240806; as Amazon writes it, -20240806-v1:0.
_DATE = re.compile(r"[-@](20\d\d-?[01]\d-?[0-3]\d)(?:-v\d+(?::\d+)?)?$")


def short_model(name: str) -> str:
    """A model's name without its provider, in small letters."""
    short = _VENDOR.sub("", name.strip().rsplit("/", 1)[-1].lower())
    while ":" in short and short.partition(":")[0] in _PROVIDERS:
        short = short.partition(":")[2]
    return short


def undated_model(name: str) -> str:
    """A model's name without its provider and without the date of its release."""
    return _DATE.sub("", short_model(name))


def same_models(name: str, models: Iterable[str]) -> list[str]:
    """Those of the models that this name means: the very name, else those that differ in their provider, else in their
    date too. Several where it may be any of them; none where it means none."""
    models = list(models)
    if name in models:
        return [name]
    if alike := [model for model in models if short_model(model) == short_model(name)]:
        return alike
    return [model for model in models if _differ_by_a_date(model, name)]


def _differ_by_a_date(one: str, other: str) -> bool:
    """Whether these are one name, that bears a date once and once none: of two dates each is a model of its own."""
    undated = undated_model(one)
    return undated == undated_model(other) and undated in (short_model(one), short_model(other))


def spellings(names: Sequence[str]) -> list[list[str]]:
    """The names by the models that they are of: one that bears a date is of the same model as one that bears none,
    unless there are several dates."""
    models: dict[str, list[str]] = {}
    for name in names:
        models.setdefault(undated_model(name), []).append(name)
    found: list[list[str]] = []
    for alike in models.values():
        by_date: dict[str, list[str]] = {}
        for name in alike:
            by_date.setdefault(short_model(name), []).append(name)
        dated = [date for date in by_date if _DATE.search(date)]
        found += [alike] if len(dated) <= 1 else list(by_date.values())
    return found
