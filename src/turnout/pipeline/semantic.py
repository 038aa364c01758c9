"""Answers for similar questions on the request path: looked up after an exact miss, learnt from after a call."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import Any

from turnout.caching.entries import StoredAnswer, unpack
from turnout.caching.keys import CacheKeys
from turnout.caching.semantic.candidates import SimilarCandidate
from turnout.caching.semantic.similar import AskedQuestion, SimilarQuestions
from turnout.caching.semantic.words import LONGEST_TEXT
from turnout.errors import StoreUnavailable
from turnout.loop_task import BackgroundTasks
from turnout.pipeline.admission import Admission
from turnout.pipeline.call import Call, Collaborators
from turnout.pipeline.leader import Leader, key_tag
from turnout.pipeline.outcomes import ReadyAnswer, cached_answer
from turnout.pipeline.refresher import Refresher
from turnout.pipeline.reservation import Reservations
from turnout.pipeline.semantic_checks import AnswerJudge, SemanticChecks, answer_text
from turnout.ports.admission import Settlement, Stored
from turnout.settings import Settings

# The share of allowed hits that a model answers too: the estimate rests on them once nothing is free any more.
CHECK_SHARE = 0.05


def question_in(settings: Settings, keys: CacheKeys, call: Call) -> AskedQuestion | None:
    """The question whose answer may be another's; None where it may not: it is off for this request, or what is asked
    is more than a text."""
    request, caller = call.request, call.owner or call.context.caller
    endpoint = settings.endpoints.get(caller.endpoint)
    if request.extension.get("semantic") is False or (endpoint is not None and not endpoint.semantic):
        return None
    last = request.messages[-1]
    content = last.get("content")
    if isinstance(content, list) and len(content) == 1 and content[0].get("type") == "text":
        content = content[0]["text"]
    if last.get("role") != "user" or not isinstance(content, str) or not 0 < len(content) <= LONGEST_TEXT:
        return None
    if request.params.get("n", 1) != 1 or request.params.get("audio") is not None:
        return None
    blank = replace(request, messages=(*request.messages[:-1], {**last, "content": "\0"}))
    tag = key_tag(request, call.selection, call.context)
    scope = keys.key(blank, model=call.selection.name, tag=tag, user=caller.user)
    return AskedQuestion(text=content, scope=scope)


class SemanticAnswers:
    """Serves stored answers to similar questions as far as the error bound allows."""

    def __init__(
        self,
        collaborators: Collaborators,
        similar: SimilarQuestions,
        admission: Admission,
        leader: Leader,
        reservations: Reservations,
        refresher: Refresher | None,
    ) -> None:
        self._settings = collaborators.settings
        self._answer_keys = collaborators.keys
        self._keys = collaborators.keys.of_vectors(similar.vectors)
        self._refresher = refresher
        self._gate = collaborators.gate
        self._similar = similar
        self._admission = admission
        self._leader = leader
        judge = AnswerJudge(collaborators, admission) if collaborators.settings.judge_model else None
        self._checks = SemanticChecks(collaborators, similar, leader, reservations, judge)
        self._chance = collaborators.chance
        leader.on_stored = self._start_learning
        self._learning = BackgroundTasks("turnout.semantic")

    def question(self, call: Call) -> AskedQuestion | None:
        """The request's question, where a similar one's answer may serve it."""
        return question_in(self._settings, self._keys, call) if call.key is not None else None

    async def look_up(self, call: Call) -> ReadyAnswer | None:
        """A similar question's answer, the call's reservation given back; None where a model is to answer."""
        question = call.question
        if question is None or call.context.directives.no_cache:
            return None
        if self._similar.is_due():
            self._learning.start(self._similar.settle())
        found = await self._find_allowed(call, question)
        if found is None:
            return None
        candidate, ready = found
        checked = self._chance() < CHECK_SHARE and self._checks.may_compare()
        if checked and not self._checks.may_call():
            # The model answers on the client's path, and that answer is compared.
            return None
        settlement = Settlement(key=call.key, lease=call.reservation.lease)
        await self._admission.settle(settlement, call.token)
        self._similar.note_served(call.context.request_id, candidate, call.context.caller.user_key)
        self._renew(call, candidate, ready)
        if checked:
            self._learning.start(self._checks.check(call, question, ready.answer))
        return ready

    async def find_stored(self, call: Call) -> ReadyAnswer | None:
        """A similar question's answer for a caller who wants no model asked: neither checked nor renewed, and not
        looked for where its vector would have to be paid."""
        question = call.question
        if question is None or call.context.directives.no_cache or self._settings.cache.semantic.embedding_model:
            return None
        found = await self._find_allowed(call, question)
        if found is None:
            return None
        candidate, ready = found
        self._similar.note_served(call.context.request_id, candidate, call.context.caller.user_key)
        return ready

    async def _find_allowed(self, call: Call, question: AskedQuestion) -> tuple[SimilarCandidate, ReadyAnswer] | None:
        """A similar question that may be served by now, and its answer; None where there is none."""
        candidate = await self._similar.find(question, call.context.caller.user_key)
        if candidate is None or not self._similar.allows(candidate):
            return None
        ready = await self._ready(call, candidate)
        return None if ready is None else (candidate, ready)

    def _renew(self, call: Call, candidate: SimilarCandidate, ready: ReadyAnswer) -> None:
        """Begins to renew what was served, of the question that it was stored for, where it is old enough."""
        if self._refresher is None or ready.age_s is None or ready.age_s <= self._refresher.after_s:
            return
        last = {**call.request.messages[-1], "content": candidate.entry.question}
        request = replace(call.request, messages=(*call.request.messages[:-1], last))
        tag = key_tag(request, call.selection, call.context)
        key = self._answer_keys.key(request, model=call.selection.name, tag=tag, user=call.context.caller.user)
        # Another where it was asked in another form, as a list of parts: it expires as any other.
        if key == candidate.entry.key:
            self._refresher.consider(replace(call, request=request, key=key, question=None), ready.age_s)

    def _start_learning(self, call: Call, answer: StoredAnswer) -> None:
        # Of a call that looked nothing up, such as a renewal, it is read only now.
        question = call.question or self.question(call)
        if question is not None and call.key is not None:
            self._learning.start(self._learn(call, call.key, question, answer))

    async def _learn(self, call: Call, key: bytes, question: AskedQuestion, answer: StoredAnswer) -> None:
        """Keeps the question of an answer that was stored, and compares the answer with the one that would have served
        it. Nobody waits for it."""
        caller, candidate = call.owner or call.context.caller, question.candidate
        if text := answer_text(answer.body):
            self._similar.note_answer(question, text)
            await self._similar.add(
                question, key=key, user=caller.user_key, endpoint=caller.endpoint, ttl_s=self._settings.cache.ttl_s
            )
        if candidate is not None:
            stored = await self._fetch(candidate)
            served = unpack(stored.packed) if stored is not None else None
            if served is not None:
                await self._checks.compare(call, question, served, answer)
            await self._similar.settle()

    def report_wrong(self, request_id: str) -> None:
        """A rating said that this request's answer was wrong."""
        self._similar.report_wrong(request_id)

    async def purge(self, *, user: str | None, endpoint: str | None) -> None:
        """Forgets questions, vectors and pairs."""
        await self._similar.purge(user=user, endpoint=endpoint)

    def figures(self) -> dict[str, Any]:
        """What the status page shows of this process."""
        return {**self._similar.figures(), **self._checks.figures()}

    async def close(self) -> None:
        """Ends what the store of questions does in the background."""
        await self._similar.store.close()

    async def drain(self) -> None:
        """Waits for what this loop does off the clients' path."""
        await self._learning.drain()

    async def _ready(self, call: Call, candidate: SimilarCandidate) -> ReadyAnswer | None:
        stored = await self._fetch(candidate)
        max_age_s = call.context.directives.oldest_s(self._settings.cache.ttl_s)
        if stored is None or (max_age_s is not None and stored.age_s > max_age_s):
            return None
        ready = cached_answer(stored, "semantic")
        if ready is None:
            return None
        return replace(ready, similarity=candidate.similarity, key=candidate.entry.key)

    async def _fetch(self, candidate: SimilarCandidate) -> Stored | None:
        """The candidate's answer, fresh; one that is gone takes its question along."""
        try:
            stored = await self._gate.stale(candidate.entry.key)
        except StoreUnavailable:
            return None
        if stored is None or stored.age_s > self._settings.cache.ttl_s:
            with suppress(StoreUnavailable):
                await self._similar.store.remove(candidate.entry.key)
            return None
        return stored
