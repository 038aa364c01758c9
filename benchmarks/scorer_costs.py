"""What does a score cost, and which requests are called novel?

Times are of one process on one core, in microseconds: the median and the 99th percentile of five runs (the median of
the five) on prompts of 229 characters, and the worst of long ones of several kinds, in CPU time, the least of ten. Of
each file, whose scorer learns from 1,500 of its rows with the embedding: the median CPU time of a score of its own
prompts, and of its parts. Of novelty: the share that a scorer of four fifths of the rows marks of the last fifth; of
the other files' rows that the scorers of RouterBench's and MMLU's logs mark; and of another language and of noise.
Caveats: a shared machine; the 99th percentile is mostly its. The prompts timed are GSM8K's; no scorer timed saw them.

    python benchmarks/scorer_costs.py FOLDER      (of labelled logs, NAME.csv.gz) writes results/scorer_costs.json
    python benchmarks/scorer_costs.py FOLDER --files      measures the files alone, and writes their part of it
"""

from __future__ import annotations

import json
import platform
import random
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from turnout.logs import labelled as labelled_logs
from turnout.logs.labelled import Logs
from turnout.ports.scoring import Query
from turnout.routing.features import Reading, read_features
from turnout.routing.scorer import FileScorer
from turnout.routing.tags import identity
from turnout.training import embedding, evaluate, fit

RESULTS = Path(__file__).parent / "results"
NAMES = (
    "mmlu", "gsm8k", "chat_gpt35", "chat_llama2", "chat_mixtral", "reasoning_haiku_sonnet", "mixed14",
    "mmlu_pro_flash_pro", "routerbench",
)  # fmt: skip
LEARNT, ASKED = 1_500, 300
TIMED, CHARACTERS, RUNS = "chat_gpt35", 229, 5
NARROW, BROAD = "routerbench", "mmlu"
RUSSIAN = "сколько будет почему небо напишите письмо другу кратко закон перечень слов договор ошибку код".split()  # noqa: SIM905


def times(told: Callable[[Query], Any], queries: Sequence[Query]) -> dict[str, float]:
    runs = []
    for _ in range(RUNS):
        took = []
        for query in queries:
            began = time.perf_counter()
            told(query)
            took.append((time.perf_counter() - began) * 1e6)
        took.sort()
        runs.append((took[len(took) // 2], took[int(len(took) * 0.99)]))
    p50, p99 = (statistics.median(column) for column in zip(*runs, strict=True))
    return {"p50_us": round(p50, 1), "p99_us": round(p99, 1)}


def least_cpu_ms(scorer: FileScorer, query: Query) -> float:
    took = []
    for _ in range(10):
        began = time.process_time_ns()
        scorer.score(query)
        took.append((time.process_time_ns() - began) / 1e6)
    return round(min(took), 3)


def long_ones(prompt: str) -> dict[str, Query]:
    """A megabyte each, and bodies of many parts."""
    part = {"type": "text", "text": "x"}

    def of(*contents: Any, role: str = "user") -> Query:
        return Query(messages=tuple({"role": role, "content": content} for content in contents))

    return {
        "prose": of(prompt * (1_000_000 // len(prompt))),
        "short words": of("a b " * 250_000),
        "marks": of(".? \n" * 250_000),
        "options": of("A) \n" * 250_000),
        "three bytes a character": of("日本語 " * 80_000),
        "one word": of("a" * 1_000_000),
        "50,000 messages": of(*[prompt] * 50_000),
        "50,000 parts": of([part] * 50_000),
        "400 messages of 400 parts": of(*[[part] * 400] * 400),
        "a system prompt of 200,000 parts": Query(
            messages=({"role": "system", "content": [part] * 200_000}, {"role": "user", "content": prompt})
        ),
    }


def timed(logs: dict[str, Logs]) -> dict[str, Any]:
    prompts = [str(query.messages[0]["content"]) for query in logs["gsm8k"].queries]
    cut = [(text * 9)[:CHARACTERS] for text in prompts if len(text) > 100]
    queries = [Query.from_text(text) for text in cut]
    scorers = {
        "without the embedding": fit.train(logs[TIMED]).scorer,
        "with it": fit.train(logs[TIMED], embedding=embedding.load_embedding()).scorer,
    }
    with_system = [
        Query(messages=({"role": "system", "content": cut[0] * 4}, {"role": "user", "content": text})) for text in cut
    ]
    whole = scorers["with it"]
    readings = {id(query): read_features(query) for query in queries}
    return {
        "score": {name: times(scorer.score, queries) for name, scorer in scorers.items()},
        "of it, reading": times(read_features, queries),
        "of it, novelty": times(lambda query: whole._novelty.of(readings[id(query)]), queries),
        "a system prompt's identity": times(lambda query: identity(query.messages), with_system),
        "longest_cpu_ms": {name: least_cpu_ms(whole, query) for name, query in long_ones(cut[0]).items()},
    }


def costs_of_a_file(logs: Logs) -> dict[str, float]:
    """Each request is scored, then once more part by part, in the order of serving: caches are as cold as they are."""
    drawn = np.random.default_rng(0).permutation(len(logs))
    scorer = fit.train(logs.part(np.sort(drawn[:LEARNT])), embedding=embedding.load_embedding()).scorer
    tables = [view for view in scorer._tables if view != "letters"]
    meaning = scorer._meaning
    parts: dict[str, Callable[[Reading], Any]] = {
        "ranks of the numbers": lambda reading: scorer._above(reading.structure) @ scorer._ranked,
        "the words' weights": lambda reading: [scorer._hashed(view, reading) for view in tables],
        "the letters' weights": lambda reading: "letters" in scorer._tables and scorer._hashed("letters", reading),
        "the tokens' weights": lambda reading: meaning is not None and meaning.gain(reading.data),
        "trees": lambda reading: scorer._trees.gain(reading.structure, 0.0),
        "novelty": scorer._novelty.of,
    }
    took = defaultdict[str, list[float]](list)

    def call(name: str, work: Callable[[Any], Any], value: Any) -> Any:
        began = time.thread_time_ns()
        result = work(value)
        took[name].append((time.thread_time_ns() - began) / 1e3)
        return result

    for _ in range(RUNS):
        for at in drawn[-ASKED:]:
            call("score", scorer.score, logs.queries[at])
            reading = call("reading", read_features, logs.queries[at])
            for name, part in parts.items():
                call(name, part, reading)
    bytes_read = [len(read_features(logs.queries[at]).data) for at in drawn[-ASKED:]]
    medians = {name: round(statistics.median(values), 1) for name, values in took.items()}
    return {"bytes_p50": statistics.median(bytes_read), **medians}


def marked(scorer: FileScorer, queries: Sequence[Query]) -> float:
    return round(sum(scorer.score(query).novel for query in queries) / len(queries), 4)


def novelty(logs: dict[str, Logs]) -> dict[str, Any]:
    aside = {}
    for name, each in logs.items():
        inside, outside = next(evaluate.folds(each, 0))
        aside[name] = marked(fit.train(each.part(inside)).scorer, each.part(outside).queries)
        print(f"{name}: {aside[name]:.1%} of the rows put aside are novel", flush=True)
    rng = random.Random(1)
    made = {
        "another language": [" ".join(rng.choices(RUSSIAN, k=12)) + "?" for _ in range(200)],
        "noise": [
            " ".join("".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=7)) for _ in range(12)) for _ in range(200)
        ],
    }
    others = {}
    for name in (NARROW, BROAD):
        scorer = fit.train(logs[name]).scorer
        others[name] = {other: marked(scorer, logs[other].queries) for other in logs if other != name}
        others[name] |= {
            kind: marked(scorer, [Query.from_text(text) for text in texts]) for kind, texts in made.items()
        }
    return {"rows put aside": aside, "by the scorer of": others}


def main(folder: Path, *, files_only: bool) -> None:
    logs = {name: labelled_logs.read_logs([folder / f"{name}.csv.gz"]) for name in NAMES}
    result = json.loads((RESULTS / "scorer_costs.json").read_text()) if files_only else {}
    if not files_only:
        result["machine"] = f"{platform.machine()}, one shared core, Python {platform.python_version()}"
        result |= {"times": timed(logs), "novelty": novelty(logs)}
    result["files"] = {}
    for name, each in logs.items():
        result["files"][name] = costs_of_a_file(each)
        print(name, json.dumps(result["files"][name]), flush=True)
    (RESULTS / "scorer_costs.json").write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), files_only="--files" in sys.argv[2:])
