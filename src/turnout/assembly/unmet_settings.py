"""Settings that are right by themselves, and not borne out: a variable that is not set, a file that is not there."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import partial

from turnout.api.access import StatusAccess
from turnout.assembly.common_parts import Plugs
from turnout.clock import SystemClock
from turnout.errors import SettingsError
from turnout.quota.own_parameters import require_bounded_params
from turnout.quota.policies import Policies
from turnout.routing.factory import scorer_from
from turnout.settings import Settings
from turnout.settings.reader import SeveralWrong, problems_among, problems_of
from turnout.telemetry.factory import request_log_from
from turnout.upstream.prices import PriceBook
from turnout.upstream.transports import provider_from
from turnout.webhooks.factory import sender_from


def with_others(error: SettingsError, settings: Settings, plugs: Plugs) -> SeveralWrong:
    """The error that ended the building, with each further one that would end it."""
    problems = problems_of(error)
    others = [each for each in problems_among(_checks(settings, plugs)) if each not in problems]
    return SeveralWrong([*problems, *others])


def _checks(settings: Settings, plugs: Plugs) -> Iterator[Callable[[], object]]:
    """What refuses settings, each by itself."""
    clock = SystemClock()
    if plugs.get("provider") is None:
        yield partial(provider_from, settings)
    yield partial(StatusAccess, settings, os.environ)
    yield partial(sender_from, settings, clock)
    if plugs.get("observer") is None:
        yield partial(request_log_from, settings, clock)
    if plugs.get("scorer") is None:
        yield partial(scorer_from, settings)
    policies, prices = Policies(settings), PriceBook(settings)
    if policies.budgeted:
        yield prices.require_all
    known = prices if policies.budgeted else None
    yield partial(require_bounded_params, settings, bounded=policies.bounded, prices=known)
    yield prices.require_judge
