"""Finds out whether a model answers a question as the similar one's answer did: what the error bound is told."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from typing import Any

from turnout.caching.entries import StoredAnswer
from turnout.caching.semantic.comparison import plain
from turnout.caching.semantic.judging import (
    MOST_PROMPT_TOKENS,
    REPLY_TOKENS,
    Agreement,
    JudgeStanding,
    judging_messages,
    read_verdict,
)
from turnout.caching.semantic.similar import AskedQuestion, SimilarQuestions
from turnout.errors import ServedError, StoreUnavailable
from turnout.openai.answers import body_text
from turnout.openai.messages import Message
from turnout.openai.requests import ChatRequest
from turnout.pipeline.admission import Admission
from turnout.pipeline.call import Call, Collaborators, is_complete
from turnout.pipeline.leader import Leader
from turnout.pipeline.outcomes import tell_side_calls
from turnout.pipeline.reservation import Reservation, Reservations
from turnout.ports.admission import Ask, Lead
from turnout.ports.limits import BudgetClaim
from turnout.quota.token_bounds import Size, prompt_size
from turnout.records import ServedTier
from turnout.routing.catalog import ModelSelection
from turnout.telemetry import names
from turnout.upstream.call_trace import CallTrace, Candidate, UpstreamCall

log = logging.getLogger("turnout")

# After the checks' budget refused one, checks are made on the client's path for so long.
REFUSED_S = 600.0


class JudgeReservation(Reservation):
    """What one call of the judge may cost: the same whatever the pair is, so that room for it says nothing of that."""

    def __init__(self, shared: Reservations, model: str, budgets: tuple[BudgetClaim, ...]) -> None:
        request = ChatRequest(messages=(), params={"max_tokens": REPLY_TOKENS})
        super().__init__(shared, request, ModelSelection(name=model), (), budgets)
        self._model = model
        self._size = Size(MOST_PROMPT_TOKENS)

    def _price_tiers(self) -> tuple[tuple[ServedTier, int], ...]:
        return (("none", self._bound(self._model).cost),)


class AnswerJudge:
    """Asks a judge model whether two answers in other words say the same, out of the checks' budget.
    `judging` tells which checks count."""

    def __init__(self, collaborators: Collaborators, admission: Admission) -> None:
        self._parts = collaborators
        self._admission = admission
        settings = collaborators.settings
        self._model = settings.judge_model
        self._tier: ServedTier = settings.tier_of(self._model) if self._model in settings.model_names else "none"
        self._standing = JudgeStanding()
        self._asked = 0
        self._undecided = 0

    def may_be_asked(self) -> bool:
        """Whether a check that begins now may count, as far as what happened before tells."""
        may_begin = self._standing.may_begin(self._parts.clock.monotonic())
        return may_begin and self._parts.bulkhead.look(self._model) is None

    async def compare(self, question: str, answer: str, other: str, endpoint: str) -> Agreement | None:
        """Whether two answers to this question say the same; None where the check does not count. A text of "" is an
        answer that is no text alone."""
        if not self.may_be_asked():
            return None
        counts = self._standing.counts
        self._standing.under_way += 1
        try:
            verdict = await self._within_budget(question, answer, other, endpoint)
        finally:
            self._standing.under_way -= 1
        return verdict if counts else None

    async def _within_budget(self, question: str, answer: str, other: str, endpoint: str) -> Agreement | None:
        parts, trace = self._parts, CallTrace()
        reservation = JudgeReservation(parts.reservations, self._model, parts.reservations.check_claims())
        if not await self._has_room(reservation):
            self._standing.note_no_room(parts.clock.monotonic())
            return None
        try:
            return await self._verdict(question, answer, other, reservation, trace)
        finally:
            await self._admission.settle(reservation.settlement(trace, key=None, store=None))
            tell_side_calls(parts.observer, "semantic_judge", endpoint, trace.attempts)

    async def _has_room(self, reservation: JudgeReservation) -> bool:
        """Whether the worst case is reserved now."""
        lease_s = self._parts.settings.retry.lease_s(stream=False)
        try:
            ask = reservation.claim(Ask(lease_s=lease_s, circuits=self._parts.bulkhead.shared))
            return isinstance((await self._admission.enter_with(ask, reservation, None)).verdict, Lead)
        except (ServedError, StoreUnavailable) as error:
            log.info("no semantic check is made: %s", error)
            return False

    async def _verdict(
        self, question: str, answer: str, other: str, reservation: JudgeReservation, trace: CallTrace
    ) -> Agreement:
        if not answer or not other:
            return "differs"
        if plain(answer) == plain(other):
            return "agrees"
        messages = judging_messages(question, answer, other)
        if prompt_size(messages, {}, {}).tokens > MOST_PROMPT_TOKENS:
            return "differs"
        self._asked += 1
        try:
            body = await self._parts.chain.complete(self._call(messages, reservation, trace), trace)
        except ServedError as error:
            self._note_failure(error)
            return "undecided"
        self._standing.note_answer()
        agrees = read_verdict(body_text(body))
        if agrees is None:
            self._count_undecided("its reply is neither yes nor no")
            return "undecided"
        return "agrees" if agrees else "differs"

    def _call(self, messages: tuple[Message, ...], reservation: JudgeReservation, trace: CallTrace) -> UpstreamCall:
        deadline = self._parts.clock.monotonic() + self._parts.settings.retry.deadline_s
        return UpstreamCall(
            messages=messages,
            params={"max_tokens": REPLY_TOKENS},
            candidates=(Candidate(model=self._model, tier=self._tier),),
            deadline=deadline,
            stream_deadline=deadline,
            afford=reservation.attempt_check(trace),
            own=reservation.output_caps((self._model,)),
            tokens=reservation,
        )

    def _note_failure(self, error: ServedError) -> None:
        if error.status >= 500:
            self._standing.note_outage(self._parts.clock.monotonic(), self._parts.settings.breaker.reset_s)
        self._count_undecided(str(error))

    def _count_undecided(self, why: str) -> None:
        self._undecided += 1
        if self._undecided == 1:
            log.warning("the judge %s gave no verdict (%s): the check counts as one that differs", self._model, why)

    def figures(self) -> dict[str, int]:
        """Of this process: how often it was asked, and how many of these gave no verdict."""
        return {"judge_calls": self._asked, "judge_undecided": self._undecided}


class SemanticChecks:
    """Compares answers, and asks a model for its own where a semantic hit was served. judge: what says whether answers
    in other words agree; None: their vectors do."""

    def __init__(
        self,
        collaborators: Collaborators,
        similar: SimilarQuestions,
        leader: Leader,
        reservations: Reservations,
        judge: AnswerJudge | None,
    ) -> None:
        self._settings = collaborators.settings
        self._clock = collaborators.clock
        self._prices = collaborators.prices
        self._observer = collaborators.observer
        self._similar = similar
        self._leader = leader
        self._reservations = reservations
        self._judge = judge
        self._refused_until = 0.0

    def may_compare(self) -> bool:
        """Whether a comparison that begins now may count."""
        return self._judge is None or self._judge.may_be_asked()

    def may_call(self) -> bool:
        """Whether a model can be asked off the client's path: its cost is known, and its budget has room."""
        prices = self._prices()
        priced = all(model in prices for model in self._settings.model_names)
        return (
            bool(self._settings.cache.semantic.checks_usd) and priced and self._clock.monotonic() >= self._refused_until
        )

    async def check(self, call: Call, asked: AskedQuestion, served: StoredAnswer) -> None:
        """Asks a model what a semantic hit answered, within the checks' own budget, and compares."""
        request = replace(call.request, stream=False, include_usage=False)
        check = replace(
            call,
            request=request,
            key=None,
            cache="off",
            token=None,
            question=None,
            conversation=None,
            reservation=self._reservations.open_check(request, call.selection),
        )
        try:
            listener = await self._leader.lead_uncoalesced(check)
            try:
                answer = await listener.answer()
            finally:
                listener.leave()
                await listener.flight.wait_ended()
                attempts = listener.flight.progress.trace.paid
                tell_side_calls(self._observer, "semantic_check", call.context.caller.endpoint, attempts)
        except ServedError as error:
            self._refused_until = self._clock.monotonic() + REFUSED_S
            log.info("a semantic hit could not be checked: %s", error)
            return
        if not is_complete(answer.body):
            # Cut short: it proves nothing.
            return
        await self.compare(call, asked, served, answer)
        await self._similar.settle()

    async def compare(self, call: Call, asked: AskedQuestion, served: StoredAnswer, own: StoredAnswer) -> None:
        """Learns from whether the model's own answer says what was served, or would have been. One that is no text
        alone, as a tool call, says another thing."""
        candidate = asked.candidate
        answer, other = answer_text(served.body), answer_text(own.body)
        verdict = await self._verdict(call, asked, answer, other)
        # What a purge took away meanwhile does not come back.
        if candidate is None or verdict is None or asked.purges != self._similar.purges:
            return
        if verdict == "undecided":
            self._similar.record_undecided(candidate)
        else:
            user = (call.owner or call.context.caller).user_key
            self._similar.record(candidate, user, agrees=verdict == "agrees", answer=other)
        attributes = {
            names.CHECK_AGREES: verdict == "agrees",
            names.CHECK_DECIDED: verdict != "undecided",
            names.CHECK_LEARNS: candidate.learnable is not None,
        }
        self._observer.event(None, names.EVENT_SEMANTIC_CHECK, attributes)

    async def _verdict(self, call: Call, asked: AskedQuestion, answer: str, other: str) -> Agreement | None:
        learns = asked.candidate is not None and asked.candidate.learnable is not None
        # Words are taught by near answers alone: a judge calls two refusals the same, however they are worded.
        if self._judge is None or learns:
            return "agrees" if await self._similar.agree(answer, other) else "differs"
        return await self._judge.compare(asked.text, answer, other, call.context.caller.endpoint)

    def figures(self) -> dict[str, int]:
        """What the status page shows of the judge."""
        return {} if self._judge is None else self._judge.figures()


def answer_text(body: bytes) -> str:
    """The answer's text; "" where it is no text alone."""
    answer = json.loads(body)
    choices: list[Any] = answer.get("choices") or []
    if len(choices) != 1 or (choices[0].get("message") or {}).get("tool_calls"):
        return ""
    return body_text(answer)
