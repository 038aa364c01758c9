"""What the scorer is told of a request."""

from __future__ import annotations

from tests.routing.test_router import CATALOG
from turnout.context import Caller, RequestContext
from turnout.openai.requests import from_call
from turnout.pipeline.leader import decide
from turnout.routing.router import Router
from turnout.testing import FixedScorer


def test_the_endpoint_stands_for_a_tag_that_the_scorer_does_not_know() -> None:
    """A word that the app made up later does not make it forget where the request came from."""
    scorer = FixedScorer(0.1, novel=True, tag_scores={"/ask": 0.9, "mine": 0.2})
    router = Router(catalog=CATALOG, scorer=scorer, target=0.5)
    context = RequestContext(request_id="r", started=0.0, caller=Caller(endpoint="/ask"))
    told = {}
    for tag in ("mine", "new", ""):
        request = from_call("x", stream=False, params={"tag": tag} if tag else {})
        decision = decide(router, request, CATALOG.find("auto"), context)
        told[tag] = (decision.score, decision.tag)
    assert told == {"mine": (0.2, "mine"), "new": (0.9, "new"), "": (0.9, "/ask")}
