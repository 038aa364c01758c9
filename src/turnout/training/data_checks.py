"""What makes one doubt labelled logs, in the same words whether they train a scorer or judge one. Pure."""

from __future__ import annotations

import numpy as np

from turnout.logs.labelled import Logs
from turnout.training.curves import mean_and_error
from turnout.training.folds import texts_of

FEW = 200
# Prompts of one app differ in length, and so in cost, by a few hundred times.
FAR = 1_000


def data_checks(logs: Logs) -> list[str]:
    """Each in one line; none where nothing is odd."""
    warnings = [logs.most_bad, _gap(logs), _swapped_costs(logs), _missing_costs(logs), _costs_apart(logs), _few(logs)]
    return [warning for warning in warnings if warning]


def with_reason(refusal: str, logs: Logs) -> str:
    """Why logs are refused, and what is wrong with most of their rows: often the one comes of the other."""
    return f"{refusal}; {logs.most_bad}" if logs.most_bad else refusal


def _gap(logs: Logs) -> str:
    weight = logs.weight if logs.weight.sum() > 0 else np.ones(len(logs))
    gap, error = mean_and_error(logs.gain, weight, texts_of(logs))
    if gap < -2 * error:
        return f"the cheap tier is better on average ({-gap:.3f}): are the quality columns swapped?"
    if gap <= 2 * error:
        return (
            f"the gap between the tiers is {gap:.3f} +- {error:.3f}: "
            "too small to promise any quality, or to tell routing from luck"
        )
    return ""


def _swapped_costs(logs: Logs) -> str:
    swapped = logs.has_costs and float(logs.cheap_usd.sum()) > float(logs.expensive_usd.sum())
    return "the cheap tier costs more than the expensive one: are the cost columns swapped?" if swapped else ""


def _missing_costs(logs: Logs) -> str:
    """Costs count only where every row has them, so one that is missing switches off what they are for."""
    cheap, expensive = np.isfinite(logs.cheap_usd), np.isfinite(logs.expensive_usd)
    missing = int((~(cheap & expensive)).sum())
    if not missing or not (cheap | expensive).any():
        return ""
    return (
        f"{missing} of {len(logs)} rows {'misses' if missing == 1 else 'miss'} a cost: what is saved, AIQ and ranking "
        "by cost are off; tell cheap_usd and expensive_usd in every row, or leave these rows out"
    )


def _costs_apart(logs: Logs) -> str:
    """One cost in another unit would outweigh all others in every figure of costs."""
    for name, usd in (("cheap_usd", logs.cheap_usd), ("expensive_usd", logs.expensive_usd)):
        known = usd[np.isfinite(usd)]
        usual = float(np.median(known)) if len(known) else 0.0
        far = int((known > FAR * usual).sum()) if usual > 0 else 0
        if far:
            return f"{far} of {len(known)} {name} are over {FAR:,} times the usual {usual:g}: are they all in USD?"
    return ""


def _few(logs: Logs) -> str:
    few = len(logs) < FEW
    return f"{len(logs)} rows are few: expect the figures to move by several points on new requests" if few else ""
