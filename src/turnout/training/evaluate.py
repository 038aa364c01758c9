"""What a scorer is worth on labelled logs: a file's, the default's, or, by cross-validation, train's own."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from turnout.errors import LogError
from turnout.logs.labelled import Logs
from turnout.ports.scoring import Query, Scorer
from turnout.routing.drift import BY_HEART, DRIFTED, MOST_NOVEL, uniform_distance
from turnout.routing.factory import DEFAULT_SCORER_SHARE
from turnout.routing.router import decisive
from turnout.routing.scorer import FileScorer
from turnout.routing.tags import SYSTEM
from turnout.training import fit
from turnout.training.curves import (
    Ranked,
    bootstrap,
    cost_figures,
    interval,
    quality_figures,
    threshold_figures,
)
from turnout.training.data_checks import data_checks, with_reason
from turnout.training.embedding import Embedding
from turnout.training.fit import Progress
from turnout.training.folds import FOLDS, divisions, texts_of
from turnout.training.leakage_check import share_known
from turnout.training.win_probability import auc, chances

Floats = NDArray[np.float64]
# More rows than these are sampled: at 100,000 the standard error of an APGR is about .003.
MOST_ROWS = 100_000
# Of smaller groups the figures are shown, but not how sure they are: nobody knows.
FEWEST_SURE = 30
# Some texts come again in any traffic ("thanks"); so many are a sign that the logs were trained on.
MUCH_KNOWN = 0.05
# The share of all-expensive's quality that a scorer file's own threshold promises.
PROMISED = 0.95
# Of fewer scores chance alone passes the limit of the drift figure.
FEWEST_FOR_DRIFT = 100


@dataclass(frozen=True)
class Scored:
    """Scores and predicted gains of every row, [n], as they decide in service: a novel row's are its tag's, or the
    middle. sent: 1 where the row is expensive at the scorer's own threshold for keeping 95 %, [n]; took_us: the time
    of each score in microseconds, [n]; novel: 1 where the row is unlike the scorer's logs, [n]. known: the share of
    the rows whose text the scorer was trained on, None where it does not tell. trained: on how many rows it was, 0
    where it was on none, or on these, fold by fold."""

    score: Floats
    gain: Floats
    sent: Floats
    took_us: Floats
    novel: Floats
    known: float | None = None
    trained: int = 0

    def part(self, rows: NDArray[np.intp]) -> Scored:
        return Scored(self.score[rows], self.gain[rows], self.sent[rows], self.took_us[rows], self.novel[rows])


def with_scorer(logs: Logs, scorer: Scorer, progress: Progress | None = None) -> Scored:
    """The rows scored by one scorer. The default scorer promises no quality: a share of 0.5."""
    score, gain, took, novel = _scored(scorer, logs.queries, progress)
    known, trained = None, 0
    if isinstance(scorer, FileScorer):
        threshold, known = scorer.threshold, share_known(logs.queries, scorer.trained_on)
        trained = int(scorer.summary.get("rows_used") or len(scorer.trained_on))
    else:
        threshold = _reached_by(DEFAULT_SCORER_SHARE, score, logs.weight)
    return Scored(score, gain, (score >= threshold).astype(np.float64), took, novel, known, trained)


def _reached_by(share: float, score: Floats, weight: Floats) -> float:
    """The highest score that this share of the rows reaches, by what they count for."""
    order = np.argsort(-score, kind="stable")
    reached = np.cumsum(weight[order])
    return float(score[order][np.searchsorted(reached, share * reached[-1] * (1.0 - 1e-12))])


def cross_validated(
    logs: Logs, *, seed: int = 0, embedding: Embedding | None = None, progress: Progress | None = None
) -> Scored:
    """Each row scored by a scorer that was trained without it, nor on the same text: train's own defaults."""
    if len(logs) < 2 * fit.FEWEST_ROWS:
        refusal = f"{len(logs)} good rows are too few to cross-validate; label at least {2 * fit.FEWEST_ROWS}"
        raise LogError(with_reason(refusal, logs))
    parts = [np.zeros(len(logs)) for _ in range(5)]
    for done, (inside, outside) in enumerate(folds(logs, seed), 1):
        fitted = fit.train(logs.part(inside), seed=seed, embedding=embedding)
        scored = with_scorer(logs.part(outside), fitted.scorer)
        for column, part in zip(
            parts, (scored.score, scored.gain, scored.sent, scored.took_us, scored.novel), strict=True
        ):
            column[outside] = part
        if progress is not None:
            progress(done, FOLDS)
    score, gain, sent, took, novel = parts
    return Scored(score, gain, sent, took, novel)


def folds(logs: Logs, seed: int) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Rows to train on and rows to ask, five times. The same text is never in both: it would be memorised."""
    (fold,) = divisions(logs, seed)
    for number in range(FOLDS):
        yield np.flatnonzero(fold != number), np.flatnonzero(fold == number)


def _scored(scorer: Scorer, queries: Sequence[Query], progress: Progress | None) -> tuple[Floats, ...]:
    """What decides (score, gain), the time, and whether it was novel: [n] each."""
    scores, took = [], []
    for number, query in enumerate(queries, 1):
        began = time.perf_counter()
        scores.append(scorer.score(query))
        took.append((time.perf_counter() - began) * 1e6)
        if progress is not None and number % 1000 == 0:
            progress(number, len(queries))
    score, gain = np.array([decisive(each) for each in scores], dtype=np.float64).reshape(-1, 2).T
    return score, gain, np.array(took), np.array([float(each.novel) for each in scores])


def report(logs: Logs, scored: Scored, *, seed: int = 0) -> dict[str, Any]:
    """All figures, how sure they are (the middle 95 % of the bootstrap's draws), and the same by group."""
    chance = chances(scored.gain, scored.score, logs.gain > 0, logs.weight, seed)
    draws = 500 if len(logs) <= 20_000 else 100
    overall = _figures(logs, scored, chance, draws, seed)
    counted = Counter(logs.groups)
    # Of system prompts that were sent a few times there may be thousands.
    rare = {tag for tag, count in counted.items() if tag.startswith(SYSTEM) and count < FEWEST_SURE}
    tags = np.array(["" if tag in rare else tag for tag in logs.groups], dtype=object)
    counted = Counter(tags) if any(tags) else Counter[str]()
    groups = {}
    for tag in sorted(counted):
        rows = np.flatnonzero(tags == tag)
        sure = 200 if len(rows) >= FEWEST_SURE else 0
        groups[tag] = _figures(logs.part(rows), scored.part(rows), chance[rows], sure, seed)
    read = {"rows_read": logs.rows, "skipped": logs.skipped, "trained_on_share": scored.known}
    warnings = [*data_checks(logs), *_by_heart(scored.known), *_misfits(scored, overall)]
    return {**overall, **read, "warnings": warnings, "groups": groups}


def _by_heart(known: float | None) -> list[str]:
    if known is None or known < MUCH_KNOWN:
        return []
    share = f"{known:.0%} of these rows are" if known < 1.0 else "these rows are just"
    return [
        f"{share} what the scorer was trained on, so the figures flatter it: ask rows that were put aside, "
        "or leave --scorer out to cross-validate"
    ]


def _misfits(scored: Scored, figures: dict[str, Any]) -> list[str]:
    """How these rows do not fit a scorer that was trained on others; none for one that was trained on none."""
    if not scored.trained:
        return []
    warnings = []
    if (novel := figures["novel_share"]) is not None and novel >= MOST_NOVEL:
        warnings.append(
            f"{novel:.0%} of these rows are novel, unlike the scorer's logs: their tag or the middle decides them; "
            "train on logs like these"
        )
    distance, limit = uniform_distance(scored.score), DRIFTED + BY_HEART / math.sqrt(scored.trained)
    # Rows that it was trained on have not drifted: it has memorised them, so their scores are not even.
    is_known = scored.known is not None and scored.known >= MUCH_KNOWN
    if distance >= limit and len(scored.score) >= FEWEST_FOR_DRIFT and not is_known:
        warnings.append(
            f"drift: the scores stand {distance:.2f} from those of the scorer's logs (limit {limit:.2f}), so its "
            "thresholds send another share than they promise; train on logs like these"
        )
    kept, low_high = figures["keep95_quality"], figures["intervals"].get("keep95_quality")
    if kept is not None and low_high is not None and low_high[1] < PROMISED:
        warnings.append(
            f"keep_quality = {PROMISED:g} is not kept on these rows: {kept:.3f} of all-expensive's quality "
            f"({low_high[0]:.3f} to {low_high[1]:.3f})"
        )
    return warnings


def _figures(logs: Logs, scored: Scored, chance: Floats, draws: int, seed: int) -> dict[str, Any]:
    costs = (logs.cheap_usd, logs.expensive_usd)
    ranked = Ranked.of(scored.score, logs.cheap, logs.expensive, sent=scored.sent, costs=costs)

    def all_of(weight: Floats) -> dict[str, Any]:
        return quality_figures(ranked, weight) | threshold_figures(ranked, weight) | cost_figures(ranked, weight)

    weight = logs.weight[ranked.order]
    figures = all_of(weight) if weight.sum() > 0 else all_of(ranked.even)
    better = logs.gain > 0
    drawn = {}
    if draws and weight.sum() > 0:
        drawn = bootstrap(all_of, weight, draws=draws, seed=seed, texts=texts_of(logs)[ranked.order])
    return {
        **figures,
        "auc": auc(scored.score, better, logs.weight),
        "brier": float(np.average((chance - better) ** 2, weights=logs.weight)) if logs.weight.sum() > 0 else None,
        "novel_share": float(np.average(scored.novel, weights=logs.weight)) if logs.weight.sum() > 0 else None,
        "score_us_p50": float(np.quantile(scored.took_us, 0.5)),
        "score_us_p99": float(np.quantile(scored.took_us, 0.99)),
        "apgr_standard_error": float(np.std(drawn["apgr"])) if "apgr" in drawn else None,
        "intervals": {name: interval(values) for name, values in drawn.items()},
    }
