"""`turnout check --config turnout.toml`: is it right, and what does it mean?"""

from __future__ import annotations

import argparse
import asyncio
import difflib
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from turnout.attempt_errors import AttemptError
from turnout.cli.arguments import add_config
from turnout.cli.failure_text import MAX_LENGTH
from turnout.cli.labelled_lines import labelled, terminal_width
from turnout.cli.meaning_text import Line, meaning
from turnout.cli.stores import redis_gate
from turnout.errors import StoreUnavailable
from turnout.openai.messages import as_messages
from turnout.openai.usage import read_usage
from turnout.ports.runtime import Provider, ProviderCall
from turnout.quota.policies import Policies
from turnout.redaction import Redactor, without_password
from turnout.settings import Redis, Settings
from turnout.settings.secrets import secrets_of
from turnout.turnout import Turnout
from turnout.upstream import litellm_import
from turnout.upstream.answer_form import whole
from turnout.upstream.direct.deployments import PLACES
from turnout.upstream.direct.without_litellm import facts_of
from turnout.upstream.prices import PriceBook
from turnout.upstream.transports import DirectFirstProvider, provider_from

# Whose calls may be let in by the machine's own role, without a variable.
BY_ROLE = ("bedrock/", "sagemaker/", "vertex_ai/", "azure/")
# The column that the texts begin in.
INDENT = 11
# Asked of each model by --call. One token is too little for models that think before they answer.
PROBE, PROBE_TOKENS = "Answer with one word: yes.", 16


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_config(parser)
    parser.add_argument("--call", action="store_true", help="ask each model for a few tokens, and fail without Redis")
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")


def run(args: argparse.Namespace) -> int:
    """Builds what the app would build, short of serving. Exit code 1 where a setting is wrong or a key is missing, and
    with --call where Redis cannot be reached or a model does not answer. Without it an absent Redis is only told:
    the settings are checked where they are written, which need not be where they serve."""
    settings = Turnout(args.config).settings
    lines: list[Line] = []

    def tell(label: str, text: str) -> None:
        lines.append((label, text))
        if not args.json:
            print(labelled(f"{label}:" if label else "", text, INDENT, terminal_width()), flush=True)

    for line in meaning(settings):
        tell(*line)
    failed, missing = asyncio.run(_ask(settings, tell, call=args.call))
    good = not (missing or (args.call and failed))
    if args.json:
        found = [{"name": label, "text": text} for label, text in lines]
        print(json.dumps({"good": good, "keys_missing": missing, "failed": failed, "findings": found}))
    elif good:
        print("good" + (f", but {' and '.join(failed)} could not be asked, as told above" if failed else ""))
    else:
        wrong = ["the models above fail until their keys are set"] if missing else []
        print(f"not yet:   {'; '.join([*wrong, *(f'{name} is not right, as told above' for name in failed)])}")
    return 0 if good else 1


async def _ask(settings: Settings, tell: Callable[[str, str], None], *, call: bool) -> tuple[list[str], bool]:
    """Tells what Redis and the models say. What failed, by its label, and whether a key is missing."""
    failed = []
    if settings.redis is not None and not await _reach(settings, settings.redis, tell):
        failed.append("redis")
    missing, answered = await _ask_litellm(settings, tell, call=call)
    return failed + ([] if answered else ["call"]), missing


async def _reach(settings: Settings, redis: Redis, tell: Callable[[str, str], None]) -> bool:
    """Writes something into Redis; whether it took it."""
    address = without_password(redis.url)
    try:
        async with redis_gate(settings, redis) as (_, gate):
            began = time.monotonic()
            await gate.reach()
            tell("redis", f"{address} answered in {1000 * (time.monotonic() - began):.1f} ms")
            tell("", f"shared by all that use its prefix {redis.prefix!r}: {_shared(settings)}")
            return True
    except StoreUnavailable as error:
        tell("redis", f"{address}: {error}")
        tell("", f"until it can be reached each process goes on by itself with {_shared(settings)}")
        if settings.budgets.on_outage == "refuse" and Policies(settings).budgeted:
            tell("", "and budgets refuse with 503, [budgets] on_outage being refuse")
        return False


def _shared(settings: Settings) -> str:
    return "cache, limits, budgets, breakers" + (", jobs" if settings.queue is not None else "")


async def _ask_litellm(settings: Settings, tell: Callable[[str, str], None], *, call: bool) -> tuple[bool, bool]:
    """Tells how each model is called and which keys are missing, and with `call` what it answers. Whether a key is
    missing, and whether all that were asked answered."""
    # From its file: litellm's import takes seconds, and most models are told without it.
    table = litellm_import.bundled_prices() or {}
    for text in _unknown_models(settings, table):
        tell("model", text)
    known = {name: facts_of(settings, name, table, os.environ) for name in settings.every_model}
    provider = provider_from(settings)
    try:
        if call or None in known.values():
            await provider.load()
            reasons, missing = _reasons(settings, provider), dict(_missing_keys(settings))
        else:
            reasons = {name: facts.reason for name, facts in known.items() if facts}
            missing = {name: facts.missing_keys for name, facts in known.items() if facts and facts.missing_keys}
        for text in _transports(settings, reasons):
            tell("transport", text)
        for text in _keys(settings, missing):
            tell("key", text)
        answered = await _call_each(settings, provider, tell) if call else True
    finally:
        await provider.close()
    return any(not _by_role(settings, name) for name in missing), answered


def _asked(settings: Settings) -> tuple[str, ...]:
    """The models that answer chats: those of the tiers, and the semantic cache's judge."""
    return tuple(dict.fromkeys((*settings.model_names, *filter(None, [settings.judge_model]))))


def _transports(settings: Settings, reasons: Mapping[str, str | None]) -> Iterator[str]:
    """Which way each model is called, where that is not the same for all. reasons: why not directly."""
    if settings.upstream.transport == "litellm":
        yield "litellm"
        return
    for name in _asked(settings):
        reason = reasons[name]
        yield f"{name}: {'direct' if reason is None else f'litellm: {reason}'}"


def _reasons(settings: Settings, provider: Provider) -> dict[str, str | None]:
    """Why each model goes through litellm, None where it is called directly. provider: loaded."""
    if not isinstance(provider, DirectFirstProvider):
        return {}
    return {name: provider.reason(name) for name in _asked(settings)}


def _keys(settings: Settings, missing: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Which keys are not set, and which are not sent. missing: the variables, by model."""
    for name, keys in missing.items():
        provider = settings.deployment(name).partition("/")[0]
        alternatives = provider in PLACES and {*keys} <= {*PLACES[provider].keys}
        perhaps = "; the machine may have a role instead" if _by_role(settings, name) else ""
        yield f"{name}: {(' or ' if alternatives else ', ').join(keys)} is not set{perhaps}"
    unsent = [
        name
        for name in settings.every_model
        if "api_base" in settings.model(name).params and not settings.model(name).api_key_env
    ]
    for name in unsent:
        yield f"{name}: none is sent to its api_base; set api_key_env where that wants one"
    if not missing and len(unsent) < len(settings.every_model):
        yield f"each {'other ' if unsent else ''}model's is set, or it needs none"


async def _call_each(settings: Settings, provider: Provider, tell: Callable[[str, str], None]) -> bool:
    """Asks each model that answers chats, and tells how that went. Whether all answered."""
    answered = True
    for name in _asked(settings):
        good, text = await _call(settings, provider, name)
        tell("call", text)
        answered = answered and good
    return answered


def _unknown_models(settings: Settings, table: Mapping[str, Any]) -> Iterator[str]:
    """Each model of a provider's own address that litellm's table lacks, while it has one of nearly the same name."""
    for name in settings.every_model:
        provider, _, model = settings.deployment(name).partition("/")
        if "api_base" in settings.model(name).params or f"{provider}/{model}" in table:
            continue
        known = {each.removeprefix(f"{provider}/") for each, row in table.items() if _is_of(row, provider)}
        near = [] if model in known else difflib.get_close_matches(model, known, n=1, cutoff=0.8)
        if near:
            yield f"{name} is not in litellm's table; did you mean {provider}/{near[0]}?"


def _is_of(row: object, provider: str) -> bool:
    return isinstance(row, dict) and row.get("litellm_provider") == provider


def _missing_keys(settings: Settings) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Each model with the environment variables that litellm looks for and does not find."""
    litellm = litellm_import.load_litellm()
    for name in settings.every_model:
        model = settings.model(name)
        if model.api_key_env or "api_base" in model.params:
            continue
        found = litellm.validate_environment(model=settings.deployment(name))
        if not found["keys_in_environment"] and found["missing_keys"]:
            yield name, tuple(found["missing_keys"])


def _by_role(settings: Settings, name: str) -> bool:
    return settings.deployment(name).startswith(BY_ROLE)


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
