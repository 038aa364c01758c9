"""A whole answer at hand, and where it came from. Values and pure functions."""

from __future__ import annotations

from dataclasses import dataclass

from turnout.caching.entries import StoredAnswer, unpack
from turnout.openai.answers import Body, dumps
from turnout.pipeline.call import Call, unstored
from turnout.ports.admission import Stored
from turnout.records import CacheState, Decision, Reason, ServedTier, Usage

# Finish reasons of an answer that is not stored, as they stand in its body.
CUT = (b"length", b"content_filter")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadyAnswer:
    """A whole answer at hand, and where it came from."""

    answer: StoredAnswer
    cache: CacheState
    reason: Reason
    tier: ServedTier
    age_s: float | None = None


def fallback_reason(decision: Decision, model: str) -> Reason:
    """The decision's reason, unless another than the preferred candidate answered."""
    return decision.reason if model == decision.candidates[0] else "fallback"


def plain_answer(text: str, call: Call, created: float) -> ReadyAnswer:
    """The configured plain answer, in the shape of a model's."""
    body: Body = {
        "id": f"chatcmpl-{call.context.request_id}",
        "object": "chat.completion",
        "created": int(created),
        "model": "turnout/fallback-answer",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
        "usage": Usage().to_openai(),
    }
    decision = call.progress.decision if call.progress else None
    answer = StoredAnswer(
        body=dumps(body),
        decision=decision or Decision(tier="cheap", reason="fallback_answer", candidates=()),
        tier="cheap",
        model="",
        usage=Usage(),
    )
    return ReadyAnswer(answer=answer, cache=unstored(call.cache), reason="fallback_answer", tier="none")


def hit(stored: Stored, state: CacheState) -> ReadyAnswer | None:
    """An answer out of the store; None where it cannot be read."""
    answer = unpack(stored.packed)
    if answer is None:
        return None
    return ReadyAnswer(answer=answer, cache=state, reason="cache", tier=answer.tier, age_s=stored.age_s)


def flown_in(call: Call, answer: StoredAnswer) -> ReadyAnswer:
    """An answer that a flight landed with."""
    complete = not any(b'"finish_reason":"%b"' % cut in answer.body for cut in CUT)
    return ReadyAnswer(
        answer=answer,
        cache=call.cache if complete else unstored(call.cache),
        reason=fallback_reason(answer.decision, answer.model),
        tier=answer.tier,
    )
