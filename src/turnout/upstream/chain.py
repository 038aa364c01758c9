"""From candidate to candidate until one answers, inside one deadline.

For each candidate in order: leave to call it (circuit, slot, budget), then a try; on a transient error back off and
try again, while the process's retry budget lasts; then the next candidate. A stream may fail over until its
first content-bearing chunk; after it, a break ends it with an error.
"""

from __future__ import annotations

import logging
import os
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, aclosing
from typing import Any

from turnout.attempt_errors import AttemptError, ContextTooLong, CutShort, MalformedReply, NoAnswer
from turnout.errors import NoRoomYet, ServedError
from turnout.openai.answers import Body, is_content
from turnout.openai.builder import AnswerBuilder
from turnout.openai.prompt_cache import in_stable_order, with_marks
from turnout.openai.usage import TokenLimits
from turnout.ports.runtime import CallProgress, Clock, Observer, Provider, ProviderCall
from turnout.pricing import Price
from turnout.records import Skip
from turnout.redaction import Redactor
from turnout.settings import Settings
from turnout.settings.secrets import secrets_of
from turnout.telemetry import names
from turnout.telemetry.remedies import REMEDIES, OnceAMinute
from turnout.upstream import answer_form, retry_policy
from turnout.upstream.answer_form import ChunkForm
from turnout.upstream.attempt import MAX_LINE, AttemptInProgress
from turnout.upstream.bulkhead import Bulkhead, CallSlot, Unavailable
from turnout.upstream.call_trace import DEFAULT_RETRY_AFTER_S, CallTrace, Candidate, Failures, UpstreamCall, broken
from turnout.upstream.next_within import next_within

log = logging.getLogger("turnout")

# Whose prompt cache keeps only what is marked; of Google's models Claude's alone.
_MARKED = frozenset({"anthropic", "bedrock", "bedrock_converse"})


class Chain:
    """Tries the candidates of a request. `rng` gives uniform chances in [0, 1)."""

    def __init__(
        self,
        *,
        provider: Provider,
        clock: Clock,
        observer: Observer,
        settings: Settings,
        bulkhead: Bulkhead,
        prices: Callable[[], Mapping[str, Price]],
        limits: Callable[[str], TokenLimits],
        providers: Callable[[str], str],
        rng: Callable[[], float],
    ) -> None:
        self._provider = provider
        self._clock = clock
        self._observer = observer
        self._settings = settings
        self._bulkhead = bulkhead
        self._prices = prices
        self._limits = limits
        self._providers = providers
        self._rng = rng
        self._recent = retry_policy.Recent()
        self._redactor = Redactor(secrets_of(settings, os.environ))
        # Models whose misconfiguration is in the log already.
        self._warned: set[str] = set()
        self._once = OnceAMinute(clock)

    async def complete(self, request: UpstreamCall, trace: CallTrace) -> Body:
        """The first whole answer. Raises ServedError."""

        async def ask(call: ProviderCall) -> Body:
            return answer_form.whole(await self._provider.complete(call))

        return await self._whole(request, trace, ask)

    async def embed(self, request: UpstreamCall, trace: CallTrace) -> Body:
        """The first whole list of embeddings. Raises ServedError."""
        return await self._whole(request, trace, self._provider.embed)

    async def _whole(
        self, request: UpstreamCall, trace: CallTrace, ask: Callable[[ProviderCall], Awaitable[Body]]
    ) -> Body:
        failures = Failures(self._present)
        async with aclosing(self._slots(request, trace, failures)) as slots:
            async for slot in slots:
                with slot:
                    attempt = self._try(request, trace, slot, stream=False)
                    try:
                        async with self._clock.timeout_at(attempt.answer_by(request.deadline)):
                            body = await ask(attempt.call)
                        body = attempt.read(body)
                        attempt.succeed()
                    except BaseException as error:
                        failures.add(attempt.fail(error), slot.candidate)
                    else:
                        trace.serve(slot.candidate, attempt.call.progress.dropped)
                        attempt.warn_of_refusals(failures.unclear)
                        return body
                    finally:
                        attempt.end()
        raise self._given_up(request, trace, failures)

    async def stream(self, request: UpstreamCall, trace: CallTrace) -> AsyncGenerator[Body, None]:
        """The chunks of the first answer that begins. Raises ServedError: before the first chunk where no
        candidate began one, after it where the one that began broke off."""
        failures = Failures(self._present)
        async with aclosing(self._slots(request, trace, failures)) as slots:
            async for slot in slots:
                with slot:
                    attempt = self._try(request, trace, slot, stream=True)
                    whole, form = AnswerBuilder(), ChunkForm(attempt.choices)
                    try:
                        async with aclosing(self._provider.stream(attempt.call)) as chunks:
                            for chunk in await self._opening(chunks, form, attempt, request.deadline):
                                trace.serve(slot.candidate, attempt.call.progress.dropped)
                                whole.add(chunk)
                                if chunk["choices"]:
                                    yield chunk
                            async for chunk in self._rest(chunks, form, attempt, request.stream_deadline):
                                whole.add(chunk)
                                if chunk["choices"]:
                                    yield chunk
                        if not whole.finished and not _ended_well(whole, attempt.call.progress):
                            raise MalformedReply("the stream ended before its finish")
                        body = attempt.read({**whole.body(), "usage": form.usage})
                        # Without each finish it cannot be told from a part of an answer: never stored.
                        trace.answer, trace.exact = body, whole.exact and whole.finished
                        attempt.succeed()
                        attempt.warn_of_refusals(failures.unclear)
                    except BaseException as error:
                        # A caller that leaves arrives here as GeneratorExit or CancelledError, and goes on upwards.
                        attempt.break_off(whole, form.usage)
                        fault = attempt.fail(error)
                        if trace.serving is not None:
                            raise self._present(broken(fault)) from fault
                        failures.add(fault, slot.candidate)
                    else:
                        # Whoever leaves now has had the whole answer.
                        yield _usage_chunk(body)
                        return
                    finally:
                        attempt.end()
        raise self._given_up(request, trace, failures)

    async def _slots(
        self, request: UpstreamCall, trace: CallTrace, failures: Failures
    ) -> AsyncGenerator[CallSlot, None]:
        """A slot at each candidate in order, and another after a back-off while its failures are worth it."""
        # Not under an attempt's own limits: loading litellm takes seconds, which are no failure of a model.
        await self._provider.load()
        for index, candidate in enumerate(request.candidates):
            tried = 0
            if candidate.for_length and not isinstance(failures.refused, ContextTooLong):
                continue
            if not self._may_hold(candidate, failures):
                self._skip(request, trace, candidate, Unavailable(reason="window", retry_after_s=None), failures)
                continue
            while self._clock.monotonic() < request.deadline:
                slot = await self._enter(request, trace, candidate, again=bool(index or tried or not request.covered))
                if isinstance(slot, Unavailable):
                    self._skip(request, trace, candidate, slot, failures)
                    if request.job is not None and slot.reason in ("full", "rate"):
                        raise NoRoomYet(
                            f"{candidate.model} is busy", retry_after_s=slot.retry_after_s or DEFAULT_RETRY_AFTER_S
                        )
                    break
                if not tried:
                    self._recent = retry_policy.counted(self._recent, self._clock.monotonic(), retry=False)
                yield slot
                tried += 1
                fault = failures.last
                if fault is None or not fault.retryable or request.second_sample:
                    break
                if not await self._backed_off(request, trace, candidate, tried, fault):
                    break

    def _given_up(self, request: UpstreamCall, trace: CallTrace, failures: Failures) -> ServedError:
        """The error to serve. Where the caller is not to blame, the log gets its cause and a remedy, once a minute."""
        error = failures.served(self._clock.monotonic() >= request.deadline)
        if error.status >= 500 and not request.second_sample and self._once.is_due(error.code):
            causes = "; ".join(f"{model}: {why}" for model, why in trace.causes.items()) or "no time was left to ask"
            remedy = REMEDIES.get(error.code, "")
            log.warning("turnout: no answer (%d %s): %s. What to do: %s", error.status, error.code, causes, remedy)
        return error

    def _present(self, error: ServedError) -> ServedError:
        """The error with the provider's own text in place of ours, where the settings let callers read it."""
        if self._settings.server.provider_errors and error.provider_text:
            error.message = self._redactor.line(error.provider_text, MAX_LINE)
        return error

    def _may_hold(self, candidate: Candidate, failures: Failures) -> bool:
        """Whether the candidate may take a request that was too long for another: one of its tier, with a larger
        window or one that nobody knows; or one of the other tier whose window is known to be larger."""
        too_long = failures.refused
        if not isinstance(too_long, ContextTooLong) or failures.refused_by is None:
            return True
        refused_by = failures.refused_by
        known = too_long.window or self._limits(refused_by.model).input
        window = self._limits(candidate.model).input
        if candidate.tier != refused_by.tier:
            return known is not None and window is not None and window > known
        return known is None or window is None or window > known

    async def _enter(
        self, request: UpstreamCall, trace: CallTrace, candidate: Candidate, *, again: bool
    ) -> CallSlot | Unavailable:
        # Looked at first: money is not reserved, nor a slot waited for, where the circuit would refuse.
        refused = self._bulkhead.look(candidate.model)
        if refused is not None:
            return refused
        if again and request.afford is not None and not await request.afford(candidate):
            return Unavailable(reason="budget", retry_after_s=None)
        try:
            return await self._bulkhead.enter(candidate, request, trace)
        except TimeoutError:
            return Unavailable(reason="full", retry_after_s=None)

    def _skip(
        self, request: UpstreamCall, trace: CallTrace, candidate: Candidate, why: Unavailable, failures: Failures
    ) -> None:
        trace.skipped.append(Skip(model=candidate.model, reason=why.reason))
        trace.causes.setdefault(candidate.model, f"not asked ({why.reason})")
        failures.skipped(why.reason, why.retry_after_s)
        self._observer.event(
            request.token, names.CANDIDATE_SKIPPED, {names.MODEL: candidate.model, names.SKIP_REASON: why.reason}
        )

    async def _backed_off(
        self, request: UpstreamCall, trace: CallTrace, candidate: Candidate, tried: int, fault: AttemptError
    ) -> bool:
        """Whether the candidate may be tried again, now that it has been waited for."""
        now = self._clock.monotonic()
        wait = retry_policy.pause(self._settings.retry, tried, self._rng(), fault.retry_after_s, request.deadline - now)
        if wait is None or not retry_policy.may_retry(self._recent, now, self._settings.retry.budget):
            return False
        # Counted when it is granted: those who wait have their share already.
        self._recent = retry_policy.counted(self._recent, now, retry=True)
        self._observer.event(
            request.token,
            names.RETRIED,
            {names.MODEL: candidate.model, names.ERROR_TYPE: fault.kind, names.WAIT_SECONDS: wait},
        )
        with trace.waiting(self._clock):
            await self._clock.sleep(wait)
        return True

    async def _opening(
        self, chunks: AsyncGenerator[Body, None], form: ChunkForm, attempt: AttemptInProgress, deadline: float
    ) -> list[Body]:
        """What comes up to the first content-bearing chunk, all at once when that is here."""
        held: list[Body] = []
        first_by = attempt.first_chunk_by(deadline)
        async with self._clock.timeout_at(first_by):
            async for chunk in chunks:
                held.append(form.read(chunk))
                if is_content(held[-1]):
                    attempt.note_first_chunk()
                    return held
                if self._clock.monotonic() >= first_by:
                    # No timer fires where nothing is waited for.
                    raise TimeoutError
        ended_well = attempt.call.progress.ended
        raise (NoAnswer if ended_well else MalformedReply)("the stream ended before any content")

    async def _rest(
        self, chunks: AsyncGenerator[Body, None], form: ChunkForm, attempt: AttemptInProgress, deadline: float
    ) -> AsyncGenerator[Body, None]:
        def limit() -> AbstractAsyncContextManager[Any]:
            return self._clock.timeout_at(attempt.next_chunk_by(deadline))

        while True:
            try:
                chunk = await next_within(chunks, limit)
            except StopAsyncIteration:
                return
            if self._clock.monotonic() >= deadline:
                raise CutShort("the stream did not end within its deadline")
            yield form.read(chunk)

    def _is_marked(self, name: str) -> bool:
        provider = self._providers(name)
        return provider in _MARKED or (provider == "vertex_ai" and "claude" in self._settings.deployment(name))

    def _try(self, request: UpstreamCall, trace: CallTrace, slot: CallSlot, *, stream: bool) -> AttemptInProgress:
        name = slot.candidate.model
        model = self._settings.model(name)
        now = self._clock.monotonic()
        own = request.own.get(name, {})
        params = {**request.params, **own}
        if extra := {**request.extra, **own.get("extra_body", {})}:
            params["extra_body"] = extra
        messages = request.messages
        if model.prompt_cache and params.get("tools"):
            params["tools"] = in_stable_order(params["tools"])
        if model.prompt_cache and self._is_marked(name):
            messages, tools = with_marks(messages, params.get("tools") or ())
            if tools:
                params["tools"] = list(tools)
        timeout_s = max(0.001, min(model.timeout_s, request.deadline - now))
        call = ProviderCall(
            model=name,
            messages=messages,
            params=params,
            # The provider's timeout is per read; between chunks the chain's own timeouts count.
            timeout_s=max(timeout_s, model.chunk_timeout_s) if stream else timeout_s,
            connect_timeout_s=model.connect_timeout_s,
            inputs=request.inputs,
            beside_chat=request.beside_chat,
            optional=request.optional,
        )
        return AttemptInProgress(
            slot=slot,
            model=model,
            call=call,
            trace=trace,
            clock=self._clock,
            observer=self._observer,
            price=self._prices().get(name),
            limits=self._limits(name),
            token=self._observer.attempt_started(request.token, call, tier=slot.candidate.tier, stream=stream),
            deadline_s=self._settings.retry.deadline_s,
            warned=self._warned,
            redactor=self._redactor,
            second_sample=request.second_sample,
        )


def _usage_chunk(body: Body) -> Body:
    """The last chunk of this answer's stream."""
    frame: Body = {name: body[name] for name in ("id", "created", "model") if name in body}
    return {**frame, "object": "chat.completion.chunk", "choices": [], "usage": body["usage"]}


def _ended_well(whole: AnswerBuilder, progress: CallProgress) -> bool:
    """Whether a stream without each choice's finish is a whole answer all the same: some servers tell none, or one."""
    return whole.bears_content and (whole.begun_to_finish or progress.ended)
