"""The way in to a model: past its circuit, and into one of its slots."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from turnout.attempt_errors import Misconfigured
from turnout.context import RunningJob
from turnout.ports.runtime import Clock, Observer
from turnout.ports.sharing import Circuit, CircuitStore
from turnout.records import SkipReason
from turnout.settings import Model, Settings
from turnout.telemetry import names
from turnout.upstream.breaker import CircuitRefusal, Phase, Rules
from turnout.upstream.call_trace import DEFAULT_RETRY_AFTER_S, CallTrace, Candidate, UpstreamCall
from turnout.upstream.concurrency import ConcurrencyLimit
from turnout.upstream.guard import Guard, Permit
from turnout.upstream.model_rates import ModelRates

# How much longer a probe's lease is than its call may take.
PROBE_MARGIN_S = 5.0
# How long a job waits here for a model that is full; then it waits in its queue, and others have its place.
JOB_WAITS_S = 2.0
# Between two looks for a place that workers share.
HOLD_AGAIN_S = 0.1
# How long a request waits for room in a model's rate where another model of the tier may answer.
SHORT_WAIT_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CallSlot:
    """Leave to call one candidate once. Entered for the call, it gives slot and permit back whatever happens."""

    candidate: Candidate
    permit: Permit
    limit: ConcurrencyLimit
    # Corrects what was taken of the model's rate to what was used.
    settle: Callable[[], None] | None = None

    def __enter__(self) -> CallSlot:
        return self

    def __exit__(self, *_: object) -> None:
        # Does nothing where the result was reported before: the call was cancelled, or failed in a way of ours.
        self.permit.release()
        self.limit.give()
        if self.settle is not None:
            self.settle()


@dataclass(frozen=True, slots=True, kw_only=True)
class Unavailable:
    """A candidate that is not to be called now; retry_after_s: None where nobody knows when it may."""

    reason: SkipReason
    retry_after_s: float | None


class Bulkhead:
    """Every model's circuit and slots, in this process."""

    def __init__(
        self,
        *,
        settings: Settings,
        clock: Clock,
        observer: Observer,
        circuit_store: CircuitStore | None = None,
        rates: ModelRates | None = None,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._observer = observer
        self._circuits = {name: circuit_name(name, settings.model(name)) for name in settings.every_model}
        self._shared = tuple(dict.fromkeys(self._circuits.values())) if circuit_store is not None else ()
        self._limits = {name: _limit(settings.model(name)) for name in settings.every_model}
        self._rates = rates
        self.guard = Guard(
            clock=clock,
            rules=Rules(
                failures=settings.breaker.failures,
                reset_s=settings.breaker.reset_s,
                pause_s=settings.retry.cap_s,
            ),
            circuit_store=circuit_store,
            changed=self._changed,
            shut=self._shut,
        )

    def circuit(self, model: str) -> str:
        """The name of this model's circuit."""
        return self._circuits[model]

    def busy(self, model: str) -> int:
        """How many of this model's slots are taken."""
        return self._limits[model].taken

    def look(self, model: str) -> Unavailable | None:
        """Why this model would not be called now; changes nothing."""
        refused = self.guard.look(self._circuits[model])
        return _not_now(refused) if refused is not None else None

    async def enter(self, candidate: Candidate, call: UpstreamCall, trace: CallTrace) -> CallSlot | Unavailable:
        """A slot, waited for where none is free, in turn by user. Raises TimeoutError at the deadline."""
        limit = self._limits[candidate.model]
        if call.second_sample and limit.is_busy:
            # Its place is for calls whose answers are served.
            return Unavailable(reason="full", retry_after_s=None)
        rates = self._rates if self._rates is not None and self._rates.limits(candidate.model) else None
        by = call.deadline if call.job is None else min(call.deadline, self._clock.monotonic() + JOB_WAITS_S)
        if call.second_sample:
            by = self._clock.monotonic()
        rate_by = by if rates is None else self._rate_by(candidate, call, by)
        if rates is not None and (wait_s := rates.wait_s(candidate.model)) > rate_by - self._clock.monotonic():
            return Unavailable(reason="rate", retry_after_s=wait_s)
        if not limit.take_now():
            async with self._clock.timeout_at(by):
                with trace.waiting(self._clock):
                    got = await limit.take(call.user, job=call.job is not None)
            if not got:
                # Turned away: the room is full, or the circuit opened while it was being waited in.
                return self.look(candidate.model) or Unavailable(reason="full", retry_after_s=DEFAULT_RETRY_AFTER_S)
        try:
            entered = await self._enter_with_slot(candidate, call, trace, limit, rates, by=by, rate_by=rate_by)
        except BaseException:
            limit.give()
            raise
        if isinstance(entered, Unavailable):
            limit.give()
        return entered

    async def _enter_with_slot(
        self,
        candidate: Candidate,
        call: UpstreamCall,
        trace: CallTrace,
        limit: ConcurrencyLimit,
        rates: ModelRates | None,
        *,
        by: float,
        rate_by: float,
    ) -> CallSlot | Unavailable:
        if call.job is not None and not await self._hold(call.job, candidate.model, by):
            return Unavailable(reason="full", retry_after_s=DEFAULT_RETRY_AFTER_S)
        settle: Callable[[], None] | None = None
        if rates is not None:
            taken = await rates.take(candidate.model, call, rate_by, trace)
            if isinstance(taken, float):
                return Unavailable(reason="rate", retry_after_s=taken)
            settle = taken
        try:
            permit = await self.guard.ask(self._circuits[candidate.model], self._lease_s(candidate.model))
        except BaseException:
            if settle is not None:
                settle()
            raise
        if isinstance(permit, CircuitRefusal):
            if settle is not None:
                settle()
            return _not_now(permit)
        return CallSlot(candidate=candidate, permit=permit, limit=limit, settle=settle)

    async def _hold(self, job: RunningJob, model: str, by: float) -> bool:
        """Whether the job holds one of the places that all workers have together."""
        most = self._settings.model(model).max_concurrency
        while not await job.hold(model, most):
            if self._clock.monotonic() + HOLD_AGAIN_S > by:
                return False
            await self._clock.sleep(HOLD_AGAIN_S)
        return True

    def _rate_by(self, candidate: Candidate, call: UpstreamCall, by: float) -> float:
        """Until when room in this candidate's rate is waited for: so that there is time left to answer; and not for
        long where another model of its tier may."""
        if call.job is not None:
            return by
        now = self._clock.monotonic()
        rest = call.candidates[call.candidates.index(candidate) + 1 :]
        if any(
            other.tier == candidate.tier and not other.for_length and self.look(other.model) is None for other in rest
        ):
            return min(by, now + SHORT_WAIT_S)
        return by - min(self._settings.model(candidate.model).timeout_s, (by - now) / 2)

    def _lease_s(self, model: str) -> float:
        # A stream's probe is over with its first chunk, so no call is a probe for longer than an attempt.
        return min(self._settings.model(model).timeout_s, self._settings.retry.deadline_s) + PROBE_MARGIN_S

    def _changed(self, circuit: str, old: Phase, new: Phase) -> None:
        attributes = {names.CIRCUIT: circuit, names.OLD_STATE: old, names.STATE: new}
        if new == "open" and self.guard.state(circuit).misconfigured:
            attributes[names.ERROR_TYPE] = Misconfigured.kind
        self._observer.event(None, names.CIRCUIT_CHANGED, attributes)

    def _shut(self, circuit: str, pause_s: float) -> None:
        # Whoever waits for a slot goes on to the next candidate at once.
        for model, name in self._circuits.items():
            if name == circuit:
                self._limits[model].turn_away()
        if pause_s > 0:
            self._observer.event(None, names.CIRCUIT_PAUSED, {names.CIRCUIT: circuit, names.PAUSE_SECONDS: pause_s})

    @property
    def shared(self) -> tuple[str, ...]:
        """The circuits that an Ask is to name: all of them, each once; none where nothing is shared."""
        return self._shared

    def absorb(self, circuits: Mapping[str, Circuit], asked_at: float) -> None:
        """Takes in what an Entry says of circuits; asked_at: when it was asked for."""
        if circuits:
            self.guard.absorb(circuits, asked_at)

    async def drain(self) -> None:
        await self.guard.drain()
        if self._rates is not None:
            await self._rates.drain()


def circuit_name(name: str, model: Model) -> str:
    """One circuit a model, one a deployment where the model is served from an address of one's own, and one each for
    those that share a load: one that fails leaves it to the others."""
    if model.weight is not None:
        return name
    name = model.deployment or name
    base = urlsplit(str(model.params.get("api_base") or model.params.get("base_url") or ""))
    # Without what may stand before an @: names are logged.
    host = base.netloc.rpartition("@")[2]
    return f"{name}@{host}{base.path}" if host else name


def _limit(model: Model) -> ConcurrencyLimit:
    return ConcurrencyLimit(most=model.max_concurrency, waiting=model.max_waiting)


def _not_now(refused: CircuitRefusal) -> Unavailable:
    return Unavailable(reason=refused.reason, retry_after_s=refused.retry_after_s)
