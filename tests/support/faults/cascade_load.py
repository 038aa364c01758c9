"""The load over a cascade: half of the cheap answers are doubted and asked again, whole and streamed in turn."""

from __future__ import annotations

from collections import Counter
from typing import Any

from tests.support.cascade_logs import answer, trained
from tests.support.faults.load import TOKENS, Refused
from tests.support.faults.wire_load import WireLoad, events_of
from turnout import Turnout
from turnout.ports.scoring import Scorer

# Whose answers the verifier knows; where they are doubted, the other is asked.
CHEAP, EXPENSIVE = "first", "large"
ROUTING = {"threshold": 0.6, "cascade": {"mode": "on", "streams": "hold", "max_held_share": 1.0}}


def scorer() -> Scorer:
    """With a verifier of the first model's answers."""
    return trained(cheap_model=f"openai/{CHEAP}").fitted.scorer


def answer_of(model: str, text: str) -> str:
    """What a model says to one of the load's questions: the first errs, and shows it, at every other pair."""
    number = int(text.rpartition(" ")[2])
    return answer(number, 22, right=number // 2 % 2 == 0) if model == CHEAP else f"{model} says {number + 22}"


class CascadeLoad(WireLoad):
    """As WireLoad, over chat completions, each question routed by the cascade. reasons: what the answers told."""

    def __init__(self, turnout: Turnout) -> None:
        super().__init__(turnout)
        self.reasons: Counter[str] = Counter()

    @property
    def unseen(self) -> list[str]:
        """What did not happen: without an answer that was kept and one that was asked again no cascade was tried."""
        return [f"no answer was {reason}" for reason in ("verified", "escalated") if not self.reasons[reason]]

    async def ask(self, number: int, text: str, user: str) -> str:
        """The text that was asked, where the answer is whole and one model's. Raises Refused."""
        streams = number % 2 == 1
        messages = [{"role": "user", "content": text}]
        body = {"model": "auto", "max_tokens": TOKENS, "stream": streams, "messages": messages}
        response = await self._client.post("/v1/chat/completions", json=body, headers={"x-user-id": user})
        self.reasons[response.headers.get("x-turnout-reason", "")] += 1
        if response.status_code != 200:
            assert response.json()["error"]["message"], response.text
            raise Refused(response.status_code, response.text[:200])
        said = _streamed(response.text) if streams else str(response.json()["choices"][0]["message"]["content"])
        return text if said in {answer_of(model, text) for model in (CHEAP, "second", EXPENSIVE)} else said


def _streamed(stream: str) -> str:
    """Raises Refused where its last event is an error."""
    events: list[dict[str, Any]] = list(events_of(stream))
    if events and "error" in events[-1]:
        raise Refused(503, str(events[-1])[:200])
    assert stream.endswith("data: [DONE]\n\n"), stream[-300:]
    return "".join(choice["delta"].get("content") or "" for event in events for choice in event["choices"])
