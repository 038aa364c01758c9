"""Which tier a request is for."""

from __future__ import annotations

from turnout.context import RequestContext
from turnout.openai.requests import ChatRequest
from turnout.ports.scoring import Query
from turnout.records import Decision
from turnout.routing.catalog import ModelSelection
from turnout.routing.router import Router


def tag_of(request: ChatRequest, context: RequestContext) -> str:
    """What the app knows about the request: its own word, else where it came from."""
    return request.tag or context.caller.endpoint


def decide(
    router: Router,
    request: ChatRequest,
    selection: ModelSelection,
    context: RequestContext,
    *,
    observe: bool = True,
    pacing_factor: float = 1.0,
) -> Decision:
    """The target's where one was forced, else the router's. observe: it counts for the share that is kept.
    ease: what pacing leaves of the wish for the expensive tier."""
    if selection.tier is not None:
        return Decision(tier=selection.tier, reason="forced", candidates=selection.candidates)
    endpoint = context.caller.endpoint
    query = Query(messages=request.messages, tag=request.tag, endpoint=endpoint, tools=request.tools)
    return router.decide(query, observe=observe, pacing_factor=pacing_factor)
