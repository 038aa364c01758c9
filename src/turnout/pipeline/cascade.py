"""The cheap answer first; verified; the expensive one where it is doubted. Two calls of one request, in one trace.

The second call is a further attempt: same deadline, same breakers and retries, its worst case topped up. Where it comes
to nothing the cheap answer, which is in hand, is served. What is published is one answer, never parts of two.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, replace

from turnout.errors import BudgetExceeded, BudgetUnavailable, NoRoomYet, RateLimitExceeded, ServedError
from turnout.openai.answers import Body
from turnout.pipeline.call import AnswerFlight, Call
from turnout.ports.runtime import Clock
from turnout.ports.scoring import Query
from turnout.quota.fitting import Fitting
from turnout.records import Decision, Tier
from turnout.routing.cascade_policy import CascadePolicy, Demands, Judgement
from turnout.routing.catalog import Catalog
from turnout.routing.conversation_pins import Conversations
from turnout.routing.router import Router
from turnout.settings import Settings
from turnout.upstream.call_trace import CallTrace, UpstreamCall
from turnout.upstream.chain import Chain
from turnout.upstream.second_sample import SecondSample, text_of

# What a caller's own deadline leaves for serving the cheap answer, in seconds.
SERVING_S = 0.05
# Decisions by the score alone; where something else decided, it has its reasons.
_BY_SCORE = frozenset({"scored", "novel", "pacing", "forced_ignored"})
# What the other tier would be refused too.
_NOT_OF_THE_TIER = (BudgetExceeded, BudgetUnavailable, NoRoomYet, RateLimitExceeded)


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


@dataclass(frozen=True, slots=True, kw_only=True)
class TierCalls:
    """How a flight's calls are made. made: of a decision; ask: makes one and publishes its chunks; the answer, and
    whether it says exactly what was streamed. publish: a chunk that was held back."""

    made: Callable[[Decision], UpstreamCall]
    ask: Callable[[UpstreamCall], Awaitable[tuple[Body, bool]]]
    publish: Callable[[Body], Awaitable[None]]


class CascadeCalls:
    """Makes the calls of requests that go by a cascade."""

    def __init__(
        self,
        policy: CascadePolicy,
        *,
        settings: Settings,
        clock: Clock,
        chain: Chain,
        fitting: Fitting,
        conversations: Conversations,
        catalog: Catalog,
        router: Router,
    ) -> None:
        self._policy = policy
        self._settings = settings
        self._clock = clock
        self._chain = chain
        self._fitting = fitting
        self._conversations = conversations
        self._catalog = catalog
        self._router = router
        self._known = _like_the_first(settings)

    def plan(self, call: Call, decision: Decision) -> CascadePlan | None:
        """How this request goes; None: by its question alone, as without a cascade."""
        if not self._takes(call, decision):
            return None
        cheap, expensive = self._at(call, decision, "cheap"), self._at(call, decision, "expensive")
        if cheap is None or expensive is None or cheap.candidates[0] not in self._known:
            return None
        dear = tuple(model for model in expensive.candidates if self._settings.tier_of(model) == "expensive")
        demands = self._demands(call, dear)
        if not self._policy.acts:
            return CascadePlan(first=decision, question=decision, expensive=dear, demands=demands)
        assert decision.score is not None
        # Leaving its conversation's model was found not to pay.
        way = self._policy.way(decision.score, demands, may_leave=decision.reason != "sticky")
        if way is None:
            return None
        if way != "verify":
            self._router.correct(decision, expensive=way == "straight")
            first = expensive if way == "straight" else cheap
            return CascadePlan(first=first, question=decision, demands=demands, verifies=False)
        return CascadePlan(
            first=cheap,
            question=decision,
            expensive=dear,
            demands=demands,
            asks_twice=self._varies(call, cheap.candidates[0]) and self._policy.asks_twice(decision.score, demands),
        )

    def drop(self, plan: CascadePlan) -> None:
        """The plan is not carried out: it waits for no second call."""
        if plan.verifies and self._policy.acts:
            self._policy.release()

    async def answer(self, plan: CascadePlan, call: Call, flight: AnswerFlight, calls: TierCalls) -> tuple[Body, bool]:
        """The answer that is served by a plan that verifies, and whether it says exactly what was streamed. Leaves the
        decision that was acted on in the flight's progress. Raises ServedError."""
        waits = False
        try:
            progress, trace = flight.progress, flight.progress.trace
            held: list[Body] = []
            try:
                body, exact, beside = await self._first(plan, call, self._cheap_call(plan, calls), flight, held)
            except ServedError as error:
                if not self._policy.acts or plan.question.tier == "cheap" or isinstance(error, _NOT_OF_THE_TIER):
                    raise
                # The question alone would have asked the expensive tier.
                progress.decision, trace.serving = plan.question, None
                return await calls.ask(replace(calls.made(plan.question), covered=False))
            judgement = self._judge(plan, call, trace, body, beside)
            kept = progress.decision = self._judged(plan, judgement)
            waits = judgement.escalates if judgement is not None else self._is_short_of_the_question(plan, trace)
            if waits and plan.expensive:
                second = await self._second(plan, call, flight, kept, calls)
                if second is not None:
                    return second
            for chunk in held:
                await calls.publish(chunk)
            return body, exact
        finally:
            if self._policy.acts:
                serving = flight.progress.trace.serving
                self._router.correct(plan.question, expensive=serving is not None and serving.tier == "expensive")
            if not waits:
                self.drop(plan)

    def _cheap_call(self, plan: CascadePlan, calls: TierCalls) -> UpstreamCall:
        """The first call; half of the time is left where the question alone would ask the expensive tier."""
        call = calls.made(plan.first)
        if not self._policy.acts or plan.question.tier == "cheap":
            return call
        now = self._clock.monotonic()
        return replace(call, deadline=now + (call.deadline - now) / 2)

    def _is_short_of_the_question(self, plan: CascadePlan, trace: CallTrace) -> bool:
        """Whether an answer that is not judged is a cheap one, where the question alone asks the expensive tier."""
        serving = trace.serving
        return plan.question.tier == "expensive" and serving is not None and serving.tier == "cheap"

    async def _first(
        self, plan: CascadePlan, call: Call, first: UpstreamCall, flight: AnswerFlight, held: list[Body]
    ) -> tuple[Body, bool, str | None]:
        """The cheap answer, whether it says exactly what its chunks do, and the second one's text, if any."""
        if not plan.asks_twice:
            return *await self._cheap(first, flight, held), None
        trace = flight.progress.trace
        async with SecondSample(self._chain, self._clock, self._beside(call, first), trace) as second:
            body, exact = await self._cheap(first, flight, held)
            known = trace.serving is not None and trace.serving.model in self._known
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
        calls: TierCalls,
    ) -> tuple[Body, bool] | None:
        """The expensive answer; None where there is none, and the cheap one is to be served."""
        progress, trace = flight.progress, flight.progress.trace
        served = trace.serving, trace.dropped, trace.answer, trace.exact
        attempts, skipped = len(trace.attempts), len(trace.skipped)
        # An answer that was not judged is no reason: the question is.
        reason = plan.question.reason if kept.verdict is None else "escalated"
        progress.decision = up = replace(kept, tier="expensive", candidates=plan.expensive, reason=reason)
        trace.serving = None
        try:
            return await calls.ask(self._further(calls.made(up), call))
        except NoRoomYet:
            # The job comes back for both.
            raise
        except ServedError:
            if flight.has_chunks:
                raise
            trace.serving, trace.dropped, trace.answer, trace.exact = served
            poor = len(trace.attempts) == attempts and any(skip.reason == "budget" for skip in trace.skipped[skipped:])
            if kept.verdict != "accepted":
                progress.decision = replace(kept, reason="budget" if poor else "cascade_fallback")
            else:
                progress.decision = kept
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
        if trace.serving is None or trace.serving.model not in self._known or text is None:
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
            and (self._policy.acts or decision.tier == "cheap")
            and not call.failed
        )

    def _at(self, call: Call, decision: Decision, tier: Tier) -> Decision | None:
        """The decision as it is at this tier; None where none of the tier's models can take the request."""
        if decision.tier == tier:
            return decision
        moved = replace(decision, tier=tier, candidates=self._catalog.route(tier))
        moved = self._fitting.fit(call.request, moved, routed=True)
        return moved if moved.tier == tier else None

    def _demands(self, call: Call, expensive: tuple[str, ...]) -> Demands:
        price_factor = 1.0
        if expensive:
            price_factor = self._conversations.cold_price_factor(call.conversation, call.request, expensive[0])
        return Demands(
            pacing_factor=call.reservation.pacing_factor(),
            least_threshold=call.request.extension.get("threshold", 0.0),
            price_factor=price_factor,
        )

    def _varies(self, call: Call, model: str) -> bool:
        """Whether a second answer may be another one; and whether it may be asked for: a job holds one place."""
        params = {**self._settings.model(model).params, **call.request.params}
        return params.get("temperature") != 0 and params.get("seed") is None and call.context.job is None


def _like_the_first(settings: Settings) -> frozenset[str]:
    """The cheap tier's first model, and those that share its load: they answer as it does."""
    first, *_ = cheap = settings.tier_models("cheap")
    deployment = settings.deployment(first)
    weighted = (name for name in cheap if settings.model(name).weight is not None)
    same = {name for name in weighted if settings.deployment(name) == deployment}
    return frozenset(same if first in same else {first})
