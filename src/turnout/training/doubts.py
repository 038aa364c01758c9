"""What makes one doubt labelled logs, in the same words whether they train a scorer or judge one. Pure."""

from __future__ import annotations

import numpy as np

from turnout.training.labelled_logs import Logs


def doubts(logs: Logs) -> list[str]:
    """Each in one line; none where nothing is odd."""
    told = [logs.most_bad, _gap(logs), _swapped_costs(logs), _missing_costs(logs)]
    return [doubt for doubt in told if doubt]


def with_reason(refusal: str, logs: Logs) -> str:
    """Why logs are refused, and what is wrong with most of their rows: often the one comes of the other."""
    return f"{refusal}; {logs.most_bad}" if logs.most_bad else refusal


def _gap(logs: Logs) -> str:
    gap, error = _mean(logs)
    if gap < -2 * error:
        return f"the cheap tier is better on average ({-gap:.3f}): are the quality columns swapped?"
    if gap <= 2 * error:
        return (
            f"the gap between the tiers is {gap:.3f} +- {error:.3f}: "
            "too small to promise any quality, or to tell routing from luck"
        )
    return ""


def _mean(logs: Logs) -> tuple[float, float]:
    """The mean gain and its standard error, by the rows' weights; one row tells nothing of how sure it is."""
    weight = logs.weight / logs.weight.sum() if logs.weight.sum() > 0 else np.full(len(logs), 1.0 / len(logs))
    mean = float(np.dot(weight, logs.gain))
    error = float(np.sqrt(np.dot(weight, (logs.gain - mean) ** 2) * np.dot(weight, weight)))
    return mean, error if len(logs) > 1 else np.inf


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
