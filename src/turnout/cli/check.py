"""`turnout check --config turnout.toml`: is it right, and what does it mean?"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import time
from collections.abc import Callable, Iterator

from turnout.attempt_errors import AttemptError
from turnout.cli.arguments import add_config
from turnout.cli.failure_text import MAX_LENGTH
from turnout.openai.messages import as_messages
from turnout.openai.usage import read_usage
from turnout.ports.runtime import Provider, ProviderCall
from turnout.redaction import Redactor
from turnout.settings import Semantic, Settings
from turnout.settings.secrets import secrets_of
from turnout.turnout import Turnout
from turnout.upstream.answer_form import whole
from turnout.upstream.prices import PriceBook

# A label and what it says.
Line = tuple[str, str]
# Asked of each model by --call. One token is too little for models that think before they answer.
PROBE, PROBE_TOKENS = "Answer with one word: yes.", 16


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_config(parser)
    parser.add_argument("--call", action="store_true", help="ask each model for a few tokens: time, cost or error")
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")


def run(args: argparse.Namespace) -> int:
    """Builds what the app would build, short of serving. A wrong setting ends with its message and code 1, and so does
    a model that does not answer to --call."""
    settings = Turnout(args.config).settings
    lines = [*_settings_lines(settings)]
    show = (lambda label, text: None) if args.json else _print_line
    for line in lines:
        show(*line)
    missing, answered = asyncio.run(_ask_litellm(settings, lines, show, call=args.call))
    if args.json:
        found = [{"name": label, "text": text} for label, text in lines]
        print(json.dumps({"good": answered and not missing, "keys_missing": missing, "findings": found}))
    elif missing:
        print("not yet:   the models above fail until their keys are set")
    elif answered:
        print("good")
    return 0 if answered else 1


def _print_line(label: str, text: str) -> None:
    print(f"{label + ':' if label else '':<10} {text}")


def _settings_lines(settings: Settings) -> Iterator[Line]:
    """What the settings mean."""
    yield "cheap", ", ".join(settings.tiers.cheap.models)
    yield "expensive", ", ".join(settings.tiers.expensive.models)
    routing = settings.routing
    yield "scorer", routing.scorer
    for target in ("keep_quality", "max_expensive_share", "threshold"):
        if (value := getattr(routing, target)) is not None:
            yield "wish", f"{target} = {value:g}"
    if routing.keep_quality is not None and routing.scorer != "default":
        yield "", _threshold_text(routing.scorer, routing.keep_quality)
    cache = settings.cache
    yield "cache", f"on, fresh for {cache.ttl_s:g} s, scope {cache.scope}" if cache.enabled else "off"
    if cache.enabled and cache.semantic.enabled:
        yield "semantic", f"at most {cache.semantic.max_error:g} of the hits wrong; {_embedder_text(cache.semantic)}"
        yield "", _index_text(settings)


def _embedder_text(semantic: Semantic) -> str:
    """What gives questions their vectors, and of how many numbers."""
    from turnout.caching.semantic.embedders import DIMENSIONS

    known = DIMENSIONS.get(semantic.embedder)
    return f"vectors by {semantic.embedder}, of {known or 'as many numbers as that model answers'}"


def _index_text(settings: Settings) -> str:
    """What looks questions up."""
    from turnout.stores.memory.semantic_store import GRAPH_ABOVE
    from turnout.stores.memory.vector_index import load_graphs

    if load_graphs():
        return f"index: numpy up to {GRAPH_ABOVE} questions of a scope, usearch above"
    return f"index: numpy, {GRAPH_ABOVE} questions of a scope; pip install 'turnout[semantic]' brings usearch for more"


async def _ask_litellm(
    settings: Settings, lines: list[Line], show: Callable[[str, str], None], *, call: bool
) -> tuple[bool, bool]:
    """Adds and shows how each model is called and which keys are missing, and with `call` what it answers. Whether a
    key is missing, and whether all that were asked answered."""
    # Imported here: the settings are shown first, litellm takes seconds.
    from turnout.upstream.transports import provider_from

    def add(label: str, text: str) -> None:
        lines.append((label, text))
        show(label, text)

    provider = provider_from(settings)
    await provider.load()
    for text in _transports(settings, provider):
        add("transport", text)
    missing = list(_missing_keys(settings))
    for text in missing:
        add("key", text)
    answered = True
    try:
        if call:
            for name in settings.model_names:
                good, text = await _call(settings, provider, name)
                add("call", text)
                answered = answered and good
    finally:
        await provider.close()
    return bool(missing), answered


def _transports(settings: Settings, provider: Provider) -> Iterator[str]:
    """Which way each model is called, where that is not the same for all."""
    from turnout.upstream.transports import DirectProvider

    if not isinstance(provider, DirectProvider):
        yield "litellm"
        return
    for name in settings.model_names:
        reason = provider.reason(name)
        yield f"{name}: {'direct' if reason is None else f'litellm: {reason}'}"


def _missing_keys(settings: Settings) -> Iterator[str]:
    """The environment variables that litellm looks for and does not find, by model."""
    from turnout.upstream import litellm_import

    litellm = litellm_import.load_litellm()
    for name in settings.every_model:
        model = settings.model(name)
        if model.api_key_env or "api_base" in model.params:
            continue
        found = litellm.validate_environment(model=settings.deployment(name))
        if not found["keys_in_environment"] and found["missing_keys"]:
            yield f"{name}: {', '.join(found['missing_keys'])} is not set"


async def _call(settings: Settings, provider: Provider, name: str) -> tuple[bool, str]:
    """Asks one model: whether it answered, and how that went."""
    model = settings.model(name)
    call = ProviderCall(
        model=name,
        messages=as_messages(PROBE),
        params={"max_tokens": PROBE_TOKENS},
        timeout_s=model.timeout_s,
        connect_timeout_s=model.connect_timeout_s,
    )
    began = time.monotonic()
    try:
        async with asyncio.timeout(model.timeout_s):
            body = whole(await provider.complete(call))
    except TimeoutError:
        return False, f"{name}: no answer within {model.timeout_s:g} s"
    except AttemptError as error:
        text = Redactor(secrets_of(settings, os.environ)).line(error.message, MAX_LENGTH)
        status = f" ({error.status})" if error.status else ""
        return False, f"{name}: {error.kind}{status}: {text}"
    usage, price = read_usage(body).usage, PriceBook(settings)().get(name)
    cost = f"{price.cost(usage):f} USD" if usage is not None and price is not None else "cost unknown"
    return True, f"{name}: answered in {time.monotonic() - began:.2f} s, {cost}"


def _threshold_text(scorer: str, quality: float) -> str:
    """The threshold that keeps this quality with this scorer, in words: a score is a rank among its logs."""
    from turnout.routing.scorer import load_scorer

    threshold = load_scorer(scorer).threshold_for_quality(quality)
    if threshold >= 1.0:
        return "on the training logs the cheap tier alone kept that: nothing goes to the expensive one"
    if threshold <= 0.0:
        return "on the training logs nothing less kept that: everything goes to the expensive tier"
    share = f"{1 - threshold:.0%} of traffic like the training logs"
    return f"scores from {threshold:.4f} on go to the expensive tier: {share}"
