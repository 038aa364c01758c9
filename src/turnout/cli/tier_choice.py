"""Which models become the cheap and the expensive tier of a project: of those that its code names, else of the provider
whose key is at hand."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from turnout.cli.log_input import price_of
from turnout.cli.model_calls import AskedModel, ModelServer
from turnout.cli.project_scan import Project

# A cheap and an expensive model of each provider, as litellm names them.
PAIRS = {
    "openai": ("openai/gpt-4o-mini", "openai/gpt-4o"),
    "anthropic": ("anthropic/claude-haiku-4-5", "anthropic/claude-sonnet-4-5"),
    "gemini": ("gemini/gemini-2.5-flash", "gemini/gemini-2.5-pro"),
    "azure": ("azure/gpt-4o-mini", "azure/gpt-4o"),
    "bedrock": ("bedrock/us.anthropic.claude-haiku-4-5-20251001-v1:0",
                "bedrock/us.anthropic.claude-sonnet-4-5-20250929-v1:0"),
    "mistral": ("mistral/mistral-small-latest", "mistral/mistral-large-latest"),
    "deepseek": ("deepseek/deepseek-chat", "deepseek/deepseek-reasoner"),
    "xai": ("xai/grok-3-mini", "xai/grok-3"),
    "groq": ("groq/openai/gpt-oss-20b", "groq/openai/gpt-oss-120b"),
    "openrouter": ("openrouter/openai/gpt-4o-mini", "openrouter/openai/gpt-4o"),
    "cohere_chat": ("cohere_chat/command-r7b-12-2024", "cohere_chat/command-a-03-2025"),
    "together_ai": ("together_ai/meta-llama/Meta-Llama-3.1-8B-Instruct-Turbo",
                    "together_ai/meta-llama/Llama-3.3-70B-Instruct-Turbo"),
    "fireworks_ai": ("fireworks_ai/accounts/fireworks/models/llama-v3p1-8b-instruct",
                     "fireworks_ai/accounts/fireworks/models/deepseek-v3"),
    "perplexity": ("perplexity/sonar", "perplexity/sonar-pro"),
    "cerebras": ("cerebras/llama3.1-8b", "cerebras/llama-3.3-70b"),
    "sambanova": ("sambanova/gpt-oss-120b", "sambanova/DeepSeek-V3.1"),
    "deepinfra": ("deepinfra/meta-llama/Meta-Llama-3.1-8B-Instruct", "deepinfra/meta-llama/Llama-3.3-70B-Instruct"),
    "nebius": ("nebius/meta-llama/Meta-Llama-3.1-8B-Instruct", "nebius/meta-llama/Llama-3.3-70B-Instruct"),
    "novita": ("novita/meta-llama/llama-3.1-8b-instruct", "novita/meta-llama/llama-3.3-70b-instruct"),
    "moonshot": ("moonshot/kimi-k2.5", "moonshot/kimi-k3"),
    "dashscope": ("dashscope/qwen-turbo", "dashscope/qwen-max"),
    "zai": ("zai/glm-5.3-flash", "zai/glm-5"),
}  # fmt: skip
# The expensive tier is no use where it costs less than this many times as much.
LEAST_RATIO = 2.0
# What makes a smaller model's name of a larger one's, within one family, and back. The first that litellm prices is it.
SMALLER = (("-opus", "-haiku"), ("-sonnet", "-haiku"), ("-pro", "-flash"), ("-large", "-small"), ("-medium", "-small"),
           ("-plus", ""), ("$", "-mini"), ("-chat-latest$", "-mini"), ("-pro", "-mini"), ("-pro", ""))  # fmt: skip
LARGER = (("-haiku", "-sonnet"), ("-flash-lite", "-flash"), ("-flash", "-pro"), ("-small", "-large"), ("-mini", ""),
          ("-nano", ""))  # fmt: skip
# A version that is a date: the other one's may be of another day.
_DATE = re.compile(r"-(?:\d{8}|\d{4}-\d\d-\d\d|latest)$")
# Of a model that litellm does not price, by its name: USD a token, in and out. Only their order counts.
_SMALL = re.compile(r"mini|small|nano|lite|flash|haiku|fast|cheap")
_SMALL_PRICE, _OTHER_PRICE = 1e-6, 1e-5
_SIZE = re.compile(r"(\d+(?:\.\d+)?)b(?![a-z])", re.IGNORECASE)
# Providers whose models anybody may name as they like, or that list more than litellm knows.
_OPEN_NAMES = frozenset({"azure", "openrouter", "together_ai", "fireworks_ai", "deepinfra", "nebius", "novita", "groq"})


@dataclass(frozen=True, slots=True, kw_only=True)
class TierChoice:
    """guessed: of both, those that the code does not name. servers: of those that are asked at another address than the
    provider's own."""

    cheap: str
    expensive: str
    guessed: tuple[str, ...]
    servers: Mapping[str, ModelServer]


def tiers_of(project: Project) -> TierChoice:
    """The cheapest and the dearest model that the code names; the other half of a pair for one alone."""
    named = {model.name: model for model in project.models if _is_usable(model)}
    provider = next(iter(project.providers), "openai")
    if not named:
        return _tiers(*PAIRS[provider], named)
    ordered = sorted(named.values(), key=_worth)
    first, last = ordered[0], ordered[-1]
    if len(ordered) > 1 and (_is_unpriced(first) or _price(last) >= LEAST_RATIO * _price(first)):
        return _tiers(first.name, last.name, named)
    if _is_unpriced(last):
        # A model of one's own is the cheap one, whatever a stronger one is then asked of.
        return _tiers(last.name, PAIRS[provider][1], named)
    return _paired(first, last, named)


def _paired(first: AskedModel, last: AskedModel, named: Mapping[str, AskedModel]) -> TierChoice:
    """A pair with what the code names, of the same family where litellm's table has one, else of the same provider."""
    if (smaller := relative(last.name, SMALLER, at_most=_price(last) / LEAST_RATIO)) is not None:
        return _tiers(smaller, last.name, named, last.server)
    if (larger := relative(first.name, LARGER, at_least=_price(first) * LEAST_RATIO)) is not None:
        return _tiers(first.name, larger, named, first.server)
    cheap, expensive = PAIRS.get(last.name.partition("/")[0], PAIRS["openai"])
    if (price_of(cheap) or 0.0) * LEAST_RATIO <= _price(last):
        return _tiers(cheap, last.name, named, last.server)
    if (price_of(expensive) or 0.0) >= LEAST_RATIO * _price(first):
        return _tiers(first.name, expensive, named, first.server)
    return _tiers(cheap, expensive, named, last.server)


def relative(
    model: str, changes: tuple[tuple[str, str], ...], *, at_least: float = 0.0, at_most: float = float("inf")
) -> str | None:
    """A smaller or a larger model of the same family that litellm prices within these bounds; or None."""
    undated = _DATE.sub("", model)
    for name in dict.fromkeys([model, undated]):
        for old, new in changes:
            other = re.sub(old if old.endswith("$") else re.escape(old) + r"(?=-|$)", new, name)
            if other not in (name, undated) and (price := price_of(other)) is not None and at_least <= price <= at_most:
                return other
    return None


def _tiers(
    cheap: str, expensive: str, named: Mapping[str, AskedModel], server: ModelServer | None = None
) -> TierChoice:
    """server: of the one that the code names; the other one is asked there too."""
    servers = {
        name: asked
        for name in (cheap, expensive)
        if (asked := named[name].server if name in named else server) is not None and asked.address
    }
    guessed = tuple(name for name in (cheap, expensive) if name not in named)
    return TierChoice(cheap=cheap, expensive=expensive, guessed=guessed, servers=servers)


def _is_usable(model: AskedModel) -> bool:
    provider = model.name.partition("/")[0]
    return bool(price_of(model.name) is not None or model.server.address or provider in _OPEN_NAMES)


def _is_unpriced(model: AskedModel) -> bool:
    """Whether it is a server's of one's own, and none that a provider sells by this name."""
    return bool(model.server.address) and model.server.provider == "openai" and price_of(model.name) is None


def _price(model: AskedModel) -> float:
    if _is_unpriced(model):
        return 0.0
    return price_of(model.name) or (_SMALL_PRICE if _SMALL.search(model.name) else _OTHER_PRICE)


def _worth(model: AskedModel) -> tuple[float, float, str]:
    """By price, then by size."""
    size = _SIZE.search(model.name)
    return _price(model), float(size[1]) if size else 0.0, model.name
