"""The cheap answer first; verified; the expensive one where it is doubted. Two calls of one request, in one trace.

The second call is a further attempt: same deadline, same breakers and retries, its worst case topped up. Where it comes
to nothing the cheap answer, which is in hand, is served. What is published is one answer, never parts of two.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any

from turnout.errors import DeadlineExceeded, Overloaded, ServedError, UpstreamUnavailable
from turnout.openai.answers import Body
from turnout.pipeline.call import AnswerFlight, Call
from turnout.ports.runtime import Clock
from turnout.ports.scoring import Query
from turnout.quota.fitting import Fitting
from turnout.records import Decision
from turnout.routing.cascade_policy import CascadePolicy, Demands, Judgement
from turnout.routing.conversation_pins import Conversations
from turnout.settings import Settings
from turnout.upstream.call_trace import CallTrace, UpstreamCall
from turnout.upstream.chain import Chain
from turnout.upstream.second_sample import SecondSample, text_of

# What a caller's own deadline leaves for serving the cheap answer, in seconds.
SERVING_S = 0.05
# Decisions by the score alone; where something else decided, it has its reasons.
_BY_SCORE = frozenset({"scored", "novel", "pacing", "forced_ignored"})
_OUTAGES = (UpstreamUnavailable, Overloaded, DeadlineExceeded)


@dataclass(frozen=True, slots=True, kw_only=True)
class CascadePlan:
    """first: the decision to make the cheap call by. expensive: who is asked where its answer is doubted. question: the
    decision by the question alone. demands: beside the target. verifies: False where only a straight way was chosen.
    asks_twice: whether a second cheap answer is asked for beside the first."""

    first: Decision
    question: Decision
    demands: Demands
    expensive: tuple[str, ...] = ()
    verifies: bool = True
    asks_twice: bool = False


class CascadeCalls:
    """Makes the calls of requests that go by a cascade. cheap_model: whose answers the verifier knows."""

    def __init__(
        self,
        policy: CascadePolicy,
        *,
        settings: Settings,
        clock: Clock,
        chain: Chain,
        fitting: Fitting,
        conversations: Conversations,
    ) -> None:
        self._policy = policy
        self._settings = settings
        self._clock = clock
        self._chain = chain
        self._fitting = fitting
        self._conversations = conversations
        self._cheap_model = settings.tier_models("cheap")[0]

    def plan(self, call: Call, decision: Decision) -> CascadePlan | None:
        """How this request goes; None: by its question alone, as without a cascade."""
        if not self._takes(call, decision):
            return None
        expensive = self._expensive(call)
        demands = self._demands(call, expensive)
        if not self._policy.acts:
            return CascadePlan(first=decision, question=decision, expensive=expensive, demands=demands)
        cheap = self._fitting.holding(call.request, self._settings.tier_models("cheap"))
        if not expensive or cheap[:1] != (self._cheap_model,):
            return None
        assert decision.score is not None
        way = self._policy.way(decision.score, demands)
        if way is None:
            return None
        if way == "straight":
            straight = _going(decision, "expensive", expensive)
            return CascadePlan(first=straight, question=decision, demands=demands, verifies=False)
        return CascadePlan(
            first=_going(decision, "cheap", cheap),
            question=decision,
            expensive=expensive,
            demands=demands,
            verifies=way == "verify",
            asks_twice=way == "verify" and _varies(call) and self._policy.asks_twice(decision.score, demands),
        )

    def drop(self, plan: CascadePlan) -> None:
        """The plan is not carried out: it waits for no second call."""
        if plan.verifies and self._policy.acts:
            self._policy.release()

    async def answer(
        self,
        plan: CascadePlan,
        call: Call,
        flight: AnswerFlight,
        upstream_call: Callable[[Decision], UpstreamCall],
        ask: Callable[[UpstreamCall, AnswerFlight], Awaitable[tuple[Body, bool]]],
    ) -> tuple[Body, bool]:
        """The answer that is served, and whether it says exactly what was streamed. ask: makes a call and publishes its
        chunks. Leaves the decision that was acted on in the flight's progress. Raises ServedError."""
        if not plan.verifies:
            return await ask(upstream_call(plan.first), flight)
        waits = False
        try:
            progress, trace = flight.progress, flight.progress.trace
            held: list[Body] = []
            try:
                body, exact, beside = await self._first(plan, call, upstream_call(plan.first), flight, held)
            except _OUTAGES:
                if not self._policy.acts or plan.question.tier == "cheap":
                    raise
                # The question alone would have asked the expensive tier.
                progress.decision, trace.serving = plan.question, None
                return await ask(replace(upstream_call(plan.question), covered=False), flight)
            judgement = self._judge(plan, call, trace, body, beside)
            kept = progress.decision = self._judged(plan, judgement)
            waits = judgement.escalates if judgement is not None else plan.question.tier == "expensive"
            if waits and plan.expensive:
                second = await self._second(plan, call, flight, kept, upstream_call, ask)
                if second is not None:
                    return second
            for chunk in held:
                await flight.publish(chunk)
            return body, exact
        finally:
            if not waits:
                self.drop(plan)

    async def _first(
        self, plan: CascadePlan, call: Call, first: UpstreamCall, flight: AnswerFlight, held: list[Body]
    ) -> tuple[Body, bool, str | None]:
        """The cheap answer, whether it says exactly what its chunks do, and the second one's text, if any."""
        if not plan.asks_twice:
            return *await self._cheap(first, flight, held), None
        trace = flight.progress.trace
        async with SecondSample(self._chain, self._clock, self._beside(call, first), trace) as second:
            body, exact = await self._cheap(first, flight, held)
            known = trace.serving is not None and trace.serving.model == self._cheap_model
            return body, exact, await second.text() if known else None

    def _beside(self, call: Call, first: UpstreamCall) -> UpstreamCall:
        return replace(
            first,
            candidates=first.candidates[:1],
            deadline=self._in_time(call, first.deadline),
            afford=call.reservation.set_aside,
            covered=False,
            second_sample=True,
        )

    async def _cheap(self, call: UpstreamCall, flight: AnswerFlight, held: list[Body]) -> tuple[Body, bool]:
        trace = flight.progress.trace
        if not flight.streamed:
            return await self._chain.complete(call, trace), True
        # Unpublished up to its end, so all of it has to be here by the deadline of a first chunk.
        async with aclosing(self._chain.stream(replace(call, stream_deadline=call.deadline), trace)) as chunks:
            async for chunk in chunks:
                held.append(chunk)
        return trace.answer, trace.exact

    async def _second(
        self,
        plan: CascadePlan,
        call: Call,
        flight: AnswerFlight,
        kept: Decision,
        upstream_call: Callable[[Decision], UpstreamCall],
        ask: Callable[[UpstreamCall, AnswerFlight], Awaitable[tuple[Body, bool]]],
    ) -> tuple[Body, bool] | None:
        """The expensive answer; None where there is none, and the cheap one is to be served."""
        progress, trace = flight.progress, flight.progress.trace
        served = trace.serving, trace.dropped, trace.answer, trace.exact
        attempts, skipped = len(trace.attempts), len(trace.skipped)
        progress.decision = up = replace(_going(kept, "expensive", plan.expensive), reason="escalated")
        trace.serving = None
        try:
            return await ask(self._further(upstream_call(up), call), flight)
        except ServedError:
            if flight.has_chunks:
                raise
            trace.serving, trace.dropped, trace.answer, trace.exact = served
            poor = len(trace.attempts) == attempts and any(skip.reason == "budget" for skip in trace.skipped[skipped:])
            progress.decision = replace(kept, reason="budget" if poor else "cascade_fallback")
            return None

    def _further(self, upstream_call: UpstreamCall, call: Call) -> UpstreamCall:
        """The second call: of the expensive tier alone, not covered by what is reserved, in time for the caller."""
        deadline = self._in_time(call, upstream_call.deadline)
        candidates = tuple(each for each in upstream_call.candidates if each.tier == "expensive")
        return replace(upstream_call, candidates=candidates, deadline=deadline, covered=False)

    def _in_time(self, call: Call, deadline: float) -> float:
        """The deadline, or the caller's own one where that is sooner: in time to be answered."""
        own = call.context.directives.deadline_s
        return deadline if own is None else min(deadline, call.context.started + own - SERVING_S)

    def _judge(
        self, plan: CascadePlan, call: Call, trace: CallTrace, body: Body, second: str | None
    ) -> Judgement | None:
        """None where the verifier knows nothing of such an answer: another model's, or no text."""
        text = text_of(body)
        if trace.serving is None or trace.serving.model != self._cheap_model or text is None:
            return None
        query = Query(messages=call.request.messages, tag=call.request.tag, endpoint=call.context.caller.endpoint)
        gain = plan.question.expected_gain or 0.0
        return self._policy.judge(query, gain, text, plan.demands, second=second)

    def _judged(self, plan: CascadePlan, judgement: Judgement | None) -> Decision:
        if judgement is None:
            return plan.first
        verdict = judgement.verdict
        return replace(
            plan.first,
            reason="verified" if self._policy.acts else plan.first.reason,
            verdict="accepted" if verdict.accepted else "rejected",
            verdict_score=verdict.score,
            verdict_threshold=verdict.threshold,
            escalation_propensity=judgement.propensity,
            second_agrees=verdict.second_agrees,
        )

    def _takes(self, call: Call, decision: Decision) -> bool:
        request, cascade = call.request, self._settings.routing.cascade
        return (
            decision.score is not None
            and (decision.reason in _BY_SCORE or (decision.reason == "sticky" and decision.tier == "cheap"))
            and (not request.stream or (cascade.streams == "hold" and self._policy.acts))
            and not request.tools
            and request.params.get("n") in (None, 1)
            and (self._policy.acts or (decision.tier == "cheap" and decision.candidates[:1] == (self._cheap_model,)))
            and not call.failed
        )

    def _demands(self, call: Call, expensive: tuple[str, ...]) -> Demands:
        price_factor = 1.0
        if expensive:
            price_factor = self._conversations.cold_price_factor(call.conversation, call.request, expensive[0])
        return Demands(
            pacing_factor=call.reservation.pacing_factor(),
            least_threshold=call.request.extension.get("threshold", 0.0),
            price_factor=price_factor,
        )

    def _expensive(self, call: Call) -> tuple[str, ...]:
        return self._fitting.holding(call.request, self._settings.tier_models("expensive"))


def _going(decision: Decision, tier: Any, candidates: tuple[str, ...]) -> Decision:
    return replace(decision, tier=tier, candidates=candidates)


def _varies(call: Call) -> bool:
    """Whether a second answer may be another one; and whether it may be asked for: a job holds one place."""
    params = call.request.params
    return params.get("temperature") != 0 and params.get("seed") is None and call.context.job is None
