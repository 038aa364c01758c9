"""The way of a request for vectors: look each text up, ask the model once for those that are missing, keep them.

Beside the chat's way, and off its routing: the model is named. Limits, budgets, circuits, retries and spans are the
same ones.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from turnout.caching.keys import VectorKeys
from turnout.context import RequestContext
from turnout.openai.embeddings import EmbeddingRequest, Embeddings, Input, pack_vector
from turnout.openai.requests import ChatRequest
from turnout.pipeline.admission import Admission
from turnout.pipeline.call import Collaborators, miss_state
from turnout.pipeline.outcomes import error_code, not_cached, tell_side_calls, with_headers
from turnout.pipeline.reservation import Reservation, Reservations
from turnout.ports.admission import Ask, Lead, NewEntry, Settlement
from turnout.ports.entries import EntryStore
from turnout.ports.limits import BudgetClaim, BudgetRefused, RateClaim, RateRefused
from turnout.pricing import Price, total
from turnout.quota.cost_bounds import CostBound
from turnout.quota.refusals import refusal_error
from turnout.quota.text_size import utf8_bound
from turnout.records import CacheState, Outcome, ServedTier, Usage
from turnout.routing.catalog import EmbeddingModels, ModelSelection
from turnout.telemetry import names
from turnout.upstream.call_trace import CallTrace, Candidate, UpstreamCall

# Marks that a model puts around a text, and the words by which some tell a query from a document.
INPUT_TOKENS = 32
# Of an anonymous caller nothing is looked up; of a caller who said no-store nothing is kept either.
_KEPT = frozenset({"miss_stored", "request_stored"})


class InputReservation(Reservation):
    """What texts may cost: each of their bytes a token, and no answer."""

    def __init__(
        self,
        shared: Reservations,
        model: str,
        inputs: Sequence[Input],
        rates: tuple[RateClaim, ...],
        budgets: tuple[BudgetClaim, ...] = (),
    ) -> None:
        super().__init__(shared, ChatRequest(messages=()), ModelSelection(name=model), rates, budgets)
        self._model = model
        self._inputs = inputs

    def _make_bound(self, model: str, price: Price | None) -> CostBound:
        sizes = (utf8_bound(item) if isinstance(item, str) else len(item) for item in self._inputs)
        return CostBound.of(price, sum(sizes) + INPUT_TOKENS * len(self._inputs), 0)

    def _price_tiers(self) -> tuple[tuple[ServedTier, int], ...]:
        return (("none", self._bound(self._model).cost),)


@dataclass(slots=True, kw_only=True)
class _Run:
    """One request: what is known when it begins, then what has happened to it. inputs: each text once, by its key.
    counted: at the rate limits. answered_by: the model's own name, as its provider tells it."""

    request: EmbeddingRequest
    context: RequestContext
    model: str
    tier: ServedTier
    cache: CacheState
    inputs: Mapping[bytes, Input]
    token: Any
    trace: CallTrace = field(default_factory=CallTrace)
    counted: bool = False
    limits: tuple[tuple[str, str], ...] = ()
    answered_by: str = ""


class EmbeddingPipeline:
    """Gives texts their vectors. Holds no request's state but which texts are asked for at this moment."""

    def __init__(self, collaborators: Collaborators, vectors: EntryStore) -> None:
        self._collaborators = collaborators
        self._vectors = vectors
        settings = collaborators.settings
        self._models = EmbeddingModels(settings)
        self._keys = VectorKeys(settings)
        self._admission = Admission(collaborators)
        self._reservations = collaborators.reservations
        # The texts under way, by key: whoever asks for one of them meanwhile waits for it. None: it did not come.
        self._under_way: dict[bytes, asyncio.Future[bytes | None]] = {}

    async def embed(self, request: EmbeddingRequest, context: RequestContext) -> Embeddings:
        """The vectors. Raises ServedError."""
        context = context.narrowed(request.extension)
        settings, observer = self._collaborators.settings, self._collaborators.observer
        model = self._models.find(request.model)
        keys = self._keys.keys(request, model=model, user=context.caller.user)
        run = _Run(
            request=request,
            context=context,
            model=model,
            tier=settings.tier_of(model) if model in settings.model_names else "none",
            cache=miss_state(settings, context),
            inputs=dict(zip(keys, request.inputs, strict=True)),
            token=observer.request_started(context.request_id),
        )
        try:
            found = await self._find(run)
        except BaseException as error:
            raise self._failed(run, error) from error.__cause__
        outcome = self._outcome(run, None)
        observer.request_ended(run.token, outcome)
        answered_by = run.answered_by or settings.deployment(model).partition("/")[2] or model
        return Embeddings([found[key] for key in keys], answered_by, outcome)

    async def embed_questions(self, model: str, texts: Sequence[str], timeout_s: float) -> list[list[float]]:
        """The vectors of texts that the semantic cache compares, in their order: nobody's request, paid out of the
        total budget. Raises ServedError."""
        parts, trace = self._collaborators, CallTrace()
        reservation = InputReservation(self._reservations, model, texts, (), self._reservations.total_claims())
        if reservation.bounded:
            lease_s = parts.settings.retry.lease_s(stream=False)
            ask = reservation.claim(Ask(lease_s=lease_s, circuits=parts.bulkhead.shared))
            verdict = (await self._admission.enter_with(ask, reservation, None)).verdict
            if isinstance(verdict, RateRefused | BudgetRefused):
                raise refusal_error(verdict)
        deadline = parts.clock.monotonic() + timeout_s
        call = UpstreamCall(
            messages=(),
            inputs=tuple(texts),
            candidates=(Candidate(model=model, tier="none"),),
            deadline=deadline,
            stream_deadline=deadline,
            afford=reservation.attempt_check(trace),
            tokens=reservation,
        )
        try:
            body = await parts.chain.embed(call, trace)
            return [item["embedding"] for item in body["data"]]
        finally:
            if reservation.bounded:
                await self._admission.settle(reservation.settlement(trace, key=None, store=None), None)
            parts.observer.event(None, names.EVENT_SEMANTIC_EMBEDDING, {names.EMBEDDING_TEXTS: len(texts)})
            tell_side_calls(parts.observer, "semantic_embedding", "", trace.attempts)

    async def _find(self, run: _Run) -> Mapping[bytes, bytes]:
        directives = run.context.directives
        found: dict[bytes, bytes] = {}
        if run.cache in _KEPT and not directives.no_cache:
            oldest_s = directives.oldest_s(self._collaborators.settings.cache.ttl_s)
            found = await self._vectors.find_many(tuple(run.inputs), oldest_s)
        missing = [key for key in run.inputs if key not in found]
        if not missing:
            run.cache = "hit"
            await self._count(run)
            return found
        if directives.only_if_cached:
            await self._count(run)
            raise not_cached()
        filled: Mapping[bytes, bytes] = await run.context.waits(self._fill(run, found, missing))
        return filled

    async def _fill(self, run: _Run, found: dict[bytes, bytes], missing: list[bytes]) -> Mapping[bytes, bytes]:
        """Asks for what nobody asks for already, then waits for the rest; what does not come is asked for too."""
        alone = run.cache != "miss_stored"
        while missing:
            joined = {} if alone else {key: future for key in missing if (future := self._flight(key)) is not None}
            own = [key for key in missing if key not in joined]
            if own:
                found |= await self._ask_as_leader(run, own, joinable=not alone)
            elif not run.counted:
                await self._count(run)
            if joined:
                await asyncio.wait(joined.values())
            answers = ((key, future.result()) for key, future in joined.items())
            found |= {key: packed for key, packed in answers if packed is not None}
            missing = [key for key in missing if key not in found]
        if not run.trace.attempts:
            run.cache = "collapsed"
        return found

    def _flight(self, key: bytes) -> asyncio.Future[bytes | None] | None:
        """What this text will be told by; None where nobody asks for it on this event loop."""
        future = self._under_way.get(key)
        return future if future is not None and future.get_loop() is asyncio.get_running_loop() else None

    async def _ask_as_leader(self, run: _Run, keys: Sequence[bytes], *, joinable: bool) -> Mapping[bytes, bytes]:
        loop = asyncio.get_running_loop()
        futures = {key: loop.create_future() for key in keys} if joinable else {}
        self._under_way |= futures
        asked: Mapping[bytes, bytes] = {}
        try:
            asked = await self._ask(run, keys)
        finally:
            for key, future in futures.items():
                self._under_way.pop(key, None)
                future.set_result(asked.get(key))
        return asked

    async def _count(self, run: _Run) -> None:
        """Counts a request that needs no call of its own at the rate limits. Raises ServedError."""
        run.counted = True
        rates, _ = self._reservations.claims(run.context.caller)
        requests = tuple(claim for claim in rates if claim.unit == "requests")
        if requests:
            reservation = InputReservation(self._reservations, run.model, (), requests)
            lease = await self._enter(run, reservation, reservation.claim(Ask()))
            await self._admission.settle(Settlement(key=None, lease=lease), run.token)

    async def _enter(self, run: _Run, reservation: Reservation, ask: Ask) -> str:
        """The gate's lease. Raises ServedError where it refuses."""
        entry = await self._admission.enter_with(ask, reservation, run.token)
        run.limits = reservation.headers or run.limits
        verdict = entry.verdict
        if isinstance(verdict, RateRefused | BudgetRefused):
            raise refusal_error(verdict)
        assert isinstance(verdict, Lead)
        return verdict.lease

    async def _ask(self, run: _Run, keys: Sequence[bytes]) -> Mapping[bytes, bytes]:
        """The vectors of these texts, asked of the model and kept. Raises ServedError."""
        collaborators = self._collaborators
        inputs = tuple(run.inputs[key] for key in keys)
        reservation = InputReservation(
            self._reservations, run.model, inputs, *self._reservations.claims(run.context.caller)
        )
        ask = Ask(lease_s=collaborators.settings.retry.lease_s(stream=False), circuits=collaborators.bulkhead.shared)
        ask = reservation.claim_call(ask) if run.counted else reservation.claim(ask)
        await self._enter(run, reservation, ask)
        run.counted = True
        trace = CallTrace()
        try:
            body = await collaborators.chain.embed(self._upstream_call(run, inputs, reservation, trace), trace)
            run.answered_by = body.get("model") or ""
            packed = [pack_vector(item["embedding"]) for item in body["data"]]
            asked = dict(zip(keys, packed, strict=True))
            if run.cache in _KEPT:
                await self._keep(run, asked)
            return asked
        finally:
            run.trace.attempts.extend(trace.attempts)
            run.trace.skipped.extend(trace.skipped)
            run.trace.waited_s += trace.waited_s
            await self._admission.settle(reservation.settlement(trace, key=None, store=None), run.token)

    def _upstream_call(
        self, run: _Run, inputs: tuple[Input, ...], reservation: Reservation, trace: CallTrace
    ) -> UpstreamCall:
        allowed_s, asked_s = self._collaborators.settings.retry.deadline_s, run.context.directives.deadline_s
        deadline = run.context.started + (allowed_s if asked_s is None else min(allowed_s, asked_s))
        return UpstreamCall(
            messages=(),
            inputs=inputs,
            params=run.request.params,
            candidates=(Candidate(model=run.model, tier=run.tier),),
            deadline=deadline,
            stream_deadline=deadline,
            token=run.token,
            user=run.context.caller.user_key,
            afford=reservation.attempt_check(trace),
            tokens=reservation,
        )

    async def _keep(self, run: _Run, asked: Mapping[bytes, bytes]) -> None:
        cache, caller = self._collaborators.settings.cache, run.context.caller
        kept = NewEntry(packed=b"", ttl_s=cache.ttl_s, stale_s=0.0, user=caller.user_key, endpoint=caller.endpoint)
        await self._vectors.store_many({key: replace(kept, packed=packed) for key, packed in asked.items()})

    def _failed(self, run: _Run, error: BaseException) -> BaseException:
        """Ends the request with an error; the error to raise, with the headers of the limits that applied."""
        self._collaborators.observer.request_ended(run.token, self._outcome(run, error_code(error)))
        return with_headers(error, run.limits)

    def _outcome(self, run: _Run, error: str | None) -> Outcome:
        now, trace = self._collaborators.clock.monotonic(), run.trace
        inference_s = trace.inference_s(now)
        usages = [attempt.usage for attempt in trace.attempts if attempt.error is None and attempt.usage is not None]
        return Outcome(
            request_id=run.context.request_id,
            decision=None,
            tier=run.tier if error is None else "none",
            model=run.model if error is None else "",
            reason="cache" if run.cache == "hit" else "forced",
            cache="miss" if error is not None and run.cache == "miss_stored" else run.cache,
            attempts=tuple(trace.attempts),
            skipped=tuple(trace.skipped),
            usage=Usage(prompt_tokens=sum(usage.prompt_tokens for usage in usages)),
            cost_usd=total(attempt.cost_usd for attempt in trace.attempts),
            turnout_s=max(0.0, now - run.context.started - inference_s - trace.waited_s),
            inference_s=inference_s,
            waited_s=trace.waited_s,
            user=run.context.caller.user,
            endpoint=run.context.caller.endpoint,
            error=error,
            limits=run.limits,
            operation="embeddings",
        )
