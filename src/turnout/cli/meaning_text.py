"""What settings mean, in lines for a person: prices, windows, the scorer, the wish, the cache."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from turnout.errors import SettingsError
from turnout.install_line import install_line
from turnout.routing.factory import DEFAULT_SCORER_SHARE, DEFAULT_SHARE
from turnout.routing.scorer import FileScorer, load_scorer
from turnout.routing.tags import SYSTEM
from turnout.routing.verifier import Verifier
from turnout.settings import Routing, Semantic, Settings
from turnout.upstream.prices import HOW_TO_PRICE, PriceBook
from turnout.upstream.token_limits import LimitBook

# A label and what it says.
Line = tuple[str, str]
# Of a scorer's logs, those that are named at most.
MOST_GROUPS = 6


def meaning(settings: Settings) -> Iterator[Line]:
    """A line for each thing that they say."""
    yield "cheap", ", ".join(settings.tiers.cheap.models)
    yield "expensive", ", ".join(settings.tiers.expensive.models)
    yield from _models(settings)
    yield from _routing(settings.routing)
    cache = settings.cache
    yield "cache", f"on, fresh for {cache.ttl_s:g} s, scope {cache.scope}" if cache.enabled else "off"
    if cache.enabled and cache.semantic.enabled:
        yield "semantic", f"at most {cache.semantic.max_error:g} of the hits wrong; {_embedder_text(cache.semantic)}"
        yield "", _index_text()
        if judge := settings.judge_model:
            yield "", f"answers in other words compared by {judge}, out of checks_usd"
    hooks = settings.webhooks
    if settings.queue is not None and hooks.allow_hosts and not os.environ.get(hooks.secret_env):
        yield "webhooks", f"{hooks.secret_env} is not set: a process without it takes and sends no webhook of a job"


def _models(settings: Settings) -> Iterator[Line]:
    """What each model costs and takes."""
    prices, limits = PriceBook(settings), LimitBook(settings)
    # Reads litellm's table; what it does not price is told below.
    with contextlib.suppress(SettingsError):
        prices.require_all()
    table = prices()
    for name in settings.every_model:
        price, tokens = table.get(name), limits(name)
        cost = (
            f"{price.input.normalize():f} in, {price.output.normalize():f} out, USD per million tokens"
            if price is not None
            else f"unknown, and so is what it saves; {HOW_TO_PRICE}"
        )
        yield "price", f"{name}: {cost}"
        yield "window", f"{name}: {_count(tokens.input)} in, {_count(tokens.output)} out"


def _count(tokens: int | None) -> str:
    return "unknown" if tokens is None else f"{tokens:,}"


def _routing(routing: Routing) -> Iterator[Line]:
    """Which scorer, and what is wished of it."""
    scorer = None if routing.scorer == "default" else load_scorer(routing.scorer)
    yield "scorer", "default: trained on none of your logs" if scorer is None else _scorer_text(routing.scorer, scorer)
    if scorer is not None and (groups := [tag for tag in sorted(scorer.known_tags) if not tag.startswith(SYSTEM)]):
        more = f" and {len(groups) - MOST_GROUPS} more" if len(groups) > MOST_GROUPS else ""
        yield "", f"its logs had the groups {', '.join(groups[:MOST_GROUPS])}{more}: a tag, else the endpoint asked at"
    share = routing.max_expensive_share
    if routing.keep_quality is None and routing.threshold is None and share is None:
        share = DEFAULT_SHARE
    if share is not None:
        yield "wish", f"max_expensive_share = {share:g}"
        yield "", f"the threshold follows the traffic: about {share:.0%} of it goes to the expensive tier"
    elif routing.threshold is not None:
        yield "wish", f"threshold = {routing.threshold:g}"
        yield "", _threshold_text(routing.threshold, trained=scorer is not None)
    elif routing.keep_quality is not None:
        yield "wish", f"keep_quality = {routing.keep_quality:g}"
        yield "", _quality_text(scorer, routing.keep_quality)
    if routing.cascade.mode != "off" and scorer is not None and scorer.verifier is not None:
        yield "cascade", _cascade_text(routing, scorer.verifier)


def _cascade_text(routing: Routing, verifier: Verifier) -> str:
    """What becomes of the cheap answers."""
    if verifier.refused:
        return f"refused when it was trained, so the question decides: {verifier.refused}"
    whose = f" of {verifier.cheap_model}" if verifier.cheap_model else ""
    trained = f"trained for expensive calls at {verifier.price_ratio:.1f} times the price of a cheap one"
    if routing.cascade.mode == "shadow":
        return f"shadow: the answers{whose} are read, and what is thought of them is told; {trained}"
    streams = "streams too" if routing.cascade.streams == "hold" else "streams go by the question"
    doubted = "those doubted by the routing target"
    if routing.keep_quality is not None:
        doubted = f"those of a doubt from {verifier.threshold_for_quality(routing.keep_quality):.4f} on"
    return f"on: the answers{whose} are read, {doubted} asked again of the expensive tier; {streams}; {trained}"


def _scorer_text(path: str, scorer: FileScorer) -> str:
    summary = scorer.summary
    parts = [f"trained on {summary['rows']} rows"] if "rows" in summary else []
    parts += [f"on {summary['date']}"] if "date" in summary else []
    parts += [f"APGR out of fold {summary['apgr']:.3f} (a coin's is 0.5)"] if summary.get("apgr") is not None else []
    return ", ".join([path, *parts])


def _embedder_text(semantic: Semantic) -> str:
    """What gives questions their vectors, and of how many numbers."""
    from turnout.caching.semantic.embedders import DIMENSIONS

    known = DIMENSIONS.get(semantic.embedder)
    return f"vectors by {semantic.embedder}, of {known or 'as many numbers as that model answers'}"


def _index_text() -> str:
    """What looks questions up."""
    from turnout.stores.memory.semantic_store import GRAPH_ABOVE
    from turnout.stores.memory.vector_index import load_graphs

    if load_graphs():
        return f"index: numpy up to {GRAPH_ABOVE} questions of a scope, usearch above"
    return f"index: numpy, {GRAPH_ABOVE} questions of a scope; {install_line('semantic')} brings usearch for more"


def _quality_text(scorer: FileScorer | None, quality: float) -> str:
    """The threshold that keeps this quality with this scorer, in words: a score is a rank among its logs."""
    if scorer is None:
        return f"the default scorer can promise no quality: served as max_expensive_share = {DEFAULT_SCORER_SHARE:g}"
    threshold = scorer.threshold_for_quality(quality)
    if threshold >= 1.0:
        return "on the training logs the cheap tier alone kept that: nothing goes to the expensive one"
    if threshold <= 0.0:
        return "on the training logs nothing less kept that: everything goes to the expensive tier"
    return _threshold_text(threshold, trained=True)


def _threshold_text(threshold: float, *, trained: bool) -> str:
    if not trained:
        return f"scores from {threshold:.4f} on go to the expensive tier; of the default scorer that is no sure share"
    share = f"{1 - threshold:.0%} of traffic like the training logs"
    return f"scores from {threshold:.4f} on go to the expensive tier: {share}"
