"""Which tier a request is for."""

from __future__ import annotations

from turnout.caller import Circumstances
from turnout.outcome import Decision
from turnout.ports import Query
from turnout.routing.catalog import Target
from turnout.routing.router import Router
from turnout.wire import ChatRequest


def tag_of(request: ChatRequest, around: Circumstances) -> str:
    """What the app knows about the request: its own word, else where it came from."""
    return request.tag or around.caller.endpoint


def decide(
    router: Router,
    request: ChatRequest,
    target: Target,
    around: Circumstances,
    *,
    observe: bool = True,
    ease: float = 1.0,
) -> Decision:
    """The target's where one was forced, else the router's. observe: it counts for the share that is kept.
    ease: what pacing leaves of the wish for the expensive tier."""
    if target.tier is not None:
        return Decision(tier=target.tier, reason="forced", candidates=target.candidates)
    endpoint = around.caller.endpoint
    query = Query(messages=request.messages, tag=request.tag, endpoint=endpoint, tools=request.tools)
    return router.decide(query, observe=observe, ease=ease)
