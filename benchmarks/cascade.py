"""Does reading the cheap answer before it is served pay, all cheap calls paid?

    python benchmarks/cascade.py FOLDER   (of labelled logs with cheap answers, NAME_cascade.csv.gz; --files NAME ...)
    python benchmarks/cascade.py FOLDER --json            prints the figures alone

Each file's rows are divided into three folds. A scorer with its verifier is trained on two, by train's own defaults,
and asked the third: what it would serve (the question's order where the verifier was refused at training), the share
of all-expensive's cost at which 97 % of its quality is kept in hindsight, beside the question alone and a coin, and
what the file's own thresholds for .95 and .97 keep on rows that they never saw. A file's figures are added to
results/cascade.json, and results/cascade.png is drawn of all that are there.

Where another file asks the same questions, its cheap answers stand for a second opinion: what agreement adds to the
first answers' order on those rows (`second`), at two cheap calls a row. They are another model's, which errs otherwise
than the first one asked again would.

Beside them cascadeflow's confidence in an answer, by its text and its question alone (`pip install cascadeflow`; its
column is empty where it is not there): it has nothing to train, and knows no log-probabilities here.

Caveats. Three folds leave a verifier two thirds of few rows; the mean of three folds of 100 rows moves by .05 from one
division to another. Prices: a cheap call costs 1 and an expensive one 16.7 (gpt-4o to gpt-4o-mini), or the mean of the
file's costs, whatever the lengths. The signs were chosen on these very files. The machine is shared.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import platform
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from turnout.logs.labelled import Logs, read_logs
from turnout.openai.messages import last_user_text
from turnout.routing.scorer import FileScorer
from turnout.training import embedding
from turnout.training.cascade import price_ratio, train_cascade
from turnout.training.cascade_curves import figures_at_97
from turnout.training.cascade_evaluate import with_verifier
from turnout.training.evaluate import with_scorer
from turnout.training.folds import texts_of

RESULTS = Path(__file__).parent / "results"
FILES = (
    "gsm8k", "mmlu_pro_flash_pro", "chat_llama2", "chat_gpt35", "chat_mixtral", "reasoning_haiku_sonnet",
    "mmlu_pro_l8b_l70b", "routerbench",
)  # fmt: skip
# Whose cheap answers to the same questions stand for a second one: Llama 3.1 8B's, and Claude 3 Haiku's.
PROXIES = {"mmlu_pro_flash_pro": "mmlu_pro_l8b_l70b", "gsm8k": "reasoning_haiku_sonnet"}
FOLDS = 3
ASKED = (0.95, 0.97)
SHOWN = (
    "apgr", "apgr_question", "apgr_cascadeflow", "cost_at_97", "cost_question", "cost_cascadeflow", "cost_coin",
    "kept_95", "kept_97", "refused",
)  # fmt: skip
SECOND = ("rows", "agreeing", "apgr", "apgr_first_alone", "cost_at_97", "cost_at_97_first_alone")


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    asked.add_argument("folder", type=Path)
    asked.add_argument("--files", nargs="+", choices=FILES, default=FILES, metavar="NAME")
    asked.add_argument("--json", action="store_true")
    options = asked.parse_args()
    began, files = time.perf_counter(), {}
    for name in options.files:
        files[name] = measured(with_second_answers(name, options.folder))
        shown = " ".join(f"{key} {value(files[name][key])}" for key in SHOWN)
        print(f"{name:<24}{shown}", file=sys.stderr, flush=True)
    machine = f"{platform.machine()}, {os.cpu_count()} shared cores, Python {platform.python_version()}"
    whole = {"machine": machine, "folds": FOLDS, "seconds": time.perf_counter() - began, "files": files}
    if not options.json:
        write(whole)
    print(json.dumps(whole) if options.json else table(files))


def with_second_answers(name: str, folder: Path) -> Logs:
    """A file's rows, with its proxy's answers where it has one."""
    logs, *other = (
        read_logs([folder / f"{each}_cascade.csv.gz"], answers=True)
        for each in (name, PROXIES.get(name))
        if each is not None
    )
    seconds = {
        last_user_text(query.messages): answer
        for each in other
        for query, answer in zip(each.queries, each.answers or [], strict=True)
    }
    return replace(logs, second_answers=[seconds.get(last_user_text(query.messages), "") for query in logs.queries])


def write(run: dict[str, Any]) -> None:
    """Adds a run's files to the results, and draws all."""
    path = RESULTS / "cascade.json"
    before = json.loads(path.read_text("utf-8"))["files"] if path.exists() else {}
    files = {name: {**before, **run["files"]}[name] for name in FILES if name in before or name in run["files"]}
    path.write_text(json.dumps({**run, "files": files}, indent=1) + "\n", encoding="utf-8")
    draw(files, RESULTS / "cascade.png")


def value(figure: Any) -> str:
    return f"{figure:.3f}" if isinstance(figure, float) else str(figure)


def measured(logs: Logs) -> dict[str, Any]:
    """The means over the folds; refused: in how many of them."""
    ratio, which = price_ratio(logs, None), texts_of(logs)
    fold = (np.random.default_rng(5).permutation(int(which.max()) + 1) % FOLDS)[which]
    folds = [asked_of(logs, np.flatnonzero(fold != at), np.flatnonzero(fold == at), ratio) for at in range(FOLDS)]
    means = {
        name: float(np.mean([each[name] for each in folds])) if all(each[name] is not None for each in folds) else None
        for name in folds[0]
        if name not in ("refused", "curves", "second")
    }
    means["second"] = mean_second([each["second"] for each in folds])
    refused = sum(each["refused"] is not None for each in folds)
    return {"rows": len(logs), "price_ratio": ratio, **means, "refused": refused, "curves": folds[0]["curves"]}


def mean_second(folds: list[dict[str, Any] | None]) -> dict[str, float] | None:
    """None where a fold's training left it out."""
    held = [each for each in folds if each is not None]
    if len(held) < len(folds) or any(value is None for each in held for value in each.values()):
        return None
    return {name: float(np.mean([each[name] for each in held])) for name in held[0]}


def asked_of(logs: Logs, inside: Any, outside: Any, ratio: float) -> dict[str, Any]:
    cascade = train_cascade(logs.part(inside), ratio=ratio, embedding=embedding.installed())
    aside, scorer = logs.part(outside), cascade.fitted.scorer
    question = with_scorer(aside, scorer)
    served, figures = with_verifier(aside, scorer, question, ratio=ratio)
    cascades = figures["refused"] is None
    own = figures_at_97(served.score, aside.cheap, aside.expensive, ratio, cascade=cascades)
    peer = cascadeflow_doubts(aside)
    peers = {} if peer is None else figures_at_97(peer, aside.cheap, aside.expensive, ratio, cascade=True)
    # A coin's order: the mean of the rows' two ends.
    share = max(0.0, (0.97 * aside.expensive.mean() - aside.cheap.mean()) / (aside.expensive - aside.cheap).mean())
    return {
        "apgr": own["apgr"],
        "apgr_question": figures["apgr_question"],
        "apgr_verified": figures["apgr_verified"],
        "apgr_cascadeflow": peers.get("apgr"),
        "cost_at_97": own["cost_at_97"],
        "cost_cascadeflow": peers.get("cost_at_97"),
        "cost_question": figures["cost_at_97_question"],
        "cost_coin": float(share + (1.0 - share) / ratio),
        "two_calls_share": own["expensive_share"] if cascades else 0.0,
        "verify_us_p50": figures["verify_us_p50"],
        "verify_us_p99": figures["verify_us_p99"],
        **{f"kept_{100 * asked:.0f}": kept(aside, scorer, served.score, asked, cascades) for asked in ASKED},
        "refused": figures["refused"],
        "second": figures["second"],
        "curves": {
            "question": curve(question.score, aside, ratio, cascade=False),
            "served": curve(served.score, aside, ratio, cascade=cascades),
            **({} if peer is None else {"cascadeflow": curve(peer, aside, ratio, cascade=True)}),
        },
    }


def cascadeflow_doubts(logs: Logs) -> Any:
    """What cascadeflow lacks of full confidence in each cheap answer, [rows]; None where it is not installed."""
    try:
        from cascadeflow.quality.confidence import ProductionConfidenceEstimator
    except ImportError:
        return None
    logging.getLogger("cascadeflow").setLevel(logging.ERROR)
    estimator = ProductionConfidenceEstimator("openai")
    questions = (last_user_text(query.messages) for query in logs.queries)
    said = zip(questions, logs.answers or [], strict=True)
    return np.array([1.0 - estimator.estimate(answer, query=question).final_confidence for question, answer in said])


def kept(logs: Logs, scorer: FileScorer, score: Any, asked: float, cascades: bool) -> float:
    """The share of all-expensive's quality at the file's own threshold for it."""
    chosen = scorer.verifier if cascades and scorer.verifier is not None else scorer
    sent = score >= chosen.threshold_for_quality(asked)
    return float(np.where(sent, logs.expensive, logs.cheap).sum() / logs.expensive.sum())


def curve(score: Any, logs: Logs, ratio: float, *, cascade: bool) -> list[list[float]]:
    """Cost and quality, each as a share of all-expensive's, at 21 shares of expensive calls."""
    order = np.argsort(-score, kind="stable")
    quality = np.concatenate(([0.0], np.cumsum((logs.expensive - logs.cheap)[order]))) + logs.cheap.sum()
    shares = np.linspace(0.0, 1.0, 21)
    kept_of = np.interp(shares, np.arange(len(quality)) / len(score), quality / logs.expensive.sum())
    costs = shares + 1.0 / ratio if cascade else shares + (1.0 - shares) / ratio
    return [[round(float(x), 4), round(float(y), 4)] for x, y in zip(costs, kept_of, strict=True)]


def table(files: dict[str, Any]) -> str:
    lines = [f"{'':<24}" + "".join(f"{name:>18}" for name in SHOWN)]
    lines += [f"{name:<24}" + "".join(f"{value(found[key]):>18}" for key in SHOWN) for name, found in files.items()]
    lines += ["", f"{'with a second opinion':<24}" + "".join(f"{name:>24}" for name in SECOND)]
    lines += [
        f"{name:<24}" + "".join(f"{value(found['second'][key]):>24}" for key in SECOND)
        for name, found in files.items()
        if found.get("second")
    ]
    return "\n".join(lines)


def draw(files: dict[str, Any], path: Path) -> None:
    from matplotlib.figure import Figure

    columns = min(4, len(files))
    rows = -(-len(files) // columns)
    figure = Figure(figsize=(3.25 * columns, 3.25 * rows), layout="constrained")
    places = list(figure.subplots(rows, columns, squeeze=False).flat)
    for axes in places[len(files) :]:
        axes.remove()
    for axes, (name, found) in zip(places, files.items(), strict=False):
        for label, points in found["curves"].items():
            axes.plot(*zip(*points, strict=True), label=label)
        axes.plot([1 / found["price_ratio"], 1.0], [points[0][1], 1.0], ":", color="grey", label="a coin")
        axes.set_title(f"{name}{' (refused)' if found['refused'] == FOLDS else ''}", fontsize=9)
        axes.axhline(0.97, color="lightgrey", linewidth=0.8)
    figure.axes[0].legend(fontsize=8)
    figure.supxlabel("cost, share of all-expensive's, all cheap calls paid")
    figure.supylabel("quality, share of all-expensive's")
    figure.savefig(path, dpi=90)


if __name__ == "__main__":
    main()
