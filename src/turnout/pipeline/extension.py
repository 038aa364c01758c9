"""What a request's own `turnout` object changes: the tier, the directives. Pure; its threshold goes to the router."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from turnout.context import RequestContext
from turnout.errors import InvalidRequest
from turnout.openai.requests import ChatRequest
from turnout.routing.catalog import Catalog, ModelSelection


def select(catalog: Catalog, request: ChatRequest, context: RequestContext) -> ModelSelection:
    """What the request's `model` and `turnout.tier` stand for together. Raises ModelNotFound, and InvalidRequest where
    they contradict each other."""
    selection = catalog.find(request.model, may_choose=context.may_choose)
    tier = request.extension.get("tier")
    if tier is None or tier == selection.tier:
        return selection
    if selection.tier is not None:
        raise InvalidRequest(
            f"turnout.tier is {tier}, and the model asked for is {selection.name}", param="turnout.tier"
        )
    return catalog.find(tier, may_choose=context.may_choose)


def narrowed(context: RequestContext, extension: Mapping[str, Any]) -> RequestContext:
    """The context with `cache` false as the caller's no-store, and with the lower of both deadlines."""
    cached, deadline_ms = extension.get("cache", True), extension.get("deadline_ms")
    if cached and deadline_ms is None:
        return context
    directives = context.directives
    if not cached:
        directives = replace(directives, no_store=True)
    if deadline_ms is not None:
        deadlines = (deadline_ms / 1000, directives.deadline_s)
        directives = replace(directives, deadline_s=min(value for value in deadlines if value is not None))
    return replace(context, directives=directives)
