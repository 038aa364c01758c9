"""How many hits may a semantic cache give, and does it keep its word about errors?

    python benchmarks/semantic_cache.py [--json] [--data DIR] [--pairs FILE] [--plot FILE.png] [--replays N]

Replays two kinds of traffic through four policies on one embedder (wordllama), each at four promised error rates:

pairs     questions of labelled pairs, in an order by chance; the same question is the same component of the label-1
          pairs. Labels are people's, and some are wrong.
repeated  prompts of `--data`, asked again and again (Zipf) in other words by rules: courtesy, case, up to four words by
          another of the same meaning, fillers; among them hard negatives (a number, a negation, an order of words),
          questions of their own that are asked again too. Rules are no people: the figures are those of this traffic.
          All of it is one user's: what checks teach of one question holds in his others, and in nobody else's.

fixed     a hit above one cosine, chosen in hindsight: the one of most hits whose error stayed below. Nobody can
          choose so.
vcache    vCache's published policy (arXiv 2502.03771), written from the paper: a logistic curve of the similarity for
          each cached prompt, fitted on a grid; explores with the probability that keeps its promise. That promise is of
          the errors among all answers, the explored ones included: among the hits alone it may err far more.
verifier  our verifier alone, its probability of at least 1 - max_error; cross-fitted by component on `pairs`.
turnout   gate, verifier and error bound, as served. `unpromoted_hit_rate`: the same where checks teach no words.

`checks` counts comparisons with a model's own answer, those on the client's path included.
"""

from __future__ import annotations

import os

# One thread a process: the replays share the cores. Before numpy and the tokenizer are imported.
os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", TOKENIZERS_PARALLELISM="false")

import argparse
import asyncio
import csv
import gzip
import json
import multiprocessing
import random
import re
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean, median
from typing import Any

import numpy as np

from turnout.caching.semantic.candidates import NEIGHBOURS, Candidates
from turnout.caching.semantic.embedders import WordllamaEmbedder
from turnout.caching.semantic.error_bound import ErrorBound
from turnout.caching.semantic.pair_features import pair_features
from turnout.caching.semantic.verifier import SHIPPED, PairVerifier, load_verifier
from turnout.caching.semantic.words import question_of
from turnout.pipeline.semantic import CHECK_SHARE
from turnout.ports.semantic import Neighbour, SemanticEntry
from turnout.stores.memory.vector_index import VectorIndex, candidates_in_turns
from turnout.training import train_cache

LOOKUPS = 3000
# All questions are one user's.
ASKER = "user:1"
# Of the repeated traffic, before its hard negatives.
QUESTIONS = 80
MAX_ERRORS = (0.01, 0.02, 0.05, 0.10)
POLICIES = ("fixed", "vcache", "verifier", "turnout")
THRESHOLDS = tuple(np.linspace(0.6, 0.9999, 25))
PROMPT_FILES = ("chat_gpt35", "chat_llama2", "chat_mixtral", "mmlu", "mixed14", "gsm8k")


@dataclass
class Replay:
    """One order of questions. ids: equal where one answer serves. nearest: of each the earlier ones, most similar
    first, with their cosines. verifiers: the one that judges each."""

    texts: Sequence[str]
    ids: Sequence[int]
    nearest: list[list[tuple[int, float]]]
    verifiers: Sequence[PairVerifier]
    entries: list[SemanticEntry] = field(default_factory=list)

    def present(self, at: int, inserted: Sequence[bool], count: int = NEIGHBOURS) -> list[tuple[int, float]]:
        """The nearest that are in the cache."""
        return [pair for pair in self.nearest[at] if inserted[pair[0]]][:count]


def replay_of(texts: Sequence[str], ids: Sequence[int], verifiers: Sequence[PairVerifier], embed_all: Any) -> Replay:
    _, vectors = train_cache.vectors_of(list(texts), embed_all)
    nearest: list[list[tuple[int, float]]] = []
    for start in range(0, len(texts), 500):
        alike = vectors[start : start + 500] @ vectors.T
        for row, similarities in enumerate(alike):
            at = start + row
            earlier = similarities[:at]
            best = np.argpartition(-earlier, 40)[:40] if at > 40 else np.arange(at)
            best = best[np.argsort(-earlier[best], kind="stable")]
            nearest.append([(int(place), float(earlier[place])) for place in best])
    entries = [
        SemanticEntry(key=at.to_bytes(16, "big"), scope=b"s", question=text, vector=b"", fresh_until=1e18, user=ASKER)
        for at, text in enumerate(texts)
    ]
    return Replay(texts, ids, nearest, verifiers, entries)


@dataclass
class Run:
    """What one policy did on one replay."""

    hits: int = 0
    wrong: int = 0
    checks: int = 0
    us: list[float] = field(default_factory=list)
    lookups: int = 0

    @property
    def error(self) -> float:
        return self.wrong / self.hits if self.hits else 0.0

    def hit(self, right: bool) -> None:
        self.hits += 1
        self.wrong += not right


def run_fixed(replay: Replay, max_error: float, rng: random.Random) -> Run:
    best = Run(us=[0.0])
    for threshold in THRESHOLDS:
        run, inserted = Run(us=[0.2]), [False] * len(replay.texts)
        for at in range(len(replay.texts)):
            found = next((pair for pair in replay.nearest[at] if inserted[pair[0]]), None)
            if found is not None and found[1] >= threshold:
                run.hit(replay.ids[found[0]] == replay.ids[at])
            else:
                inserted[at] = True
        if run.error <= max_error and run.hits > best.hits:
            best = run
    return best


class Curve:
    """vCache's model of one cached prompt: the likelihood of its observations on a grid of (t, gamma)."""

    T = np.linspace(0.0, 1.0, 51)[:, None]
    GAMMA = np.array([[4.0, 8.0, 16.0, 32.0, 64.0]])
    # Confidences, and the normal quantiles of their one-sided bounds.
    EPSILON = np.array([0.5, 0.2, 0.1, 0.05, 0.02, 0.01])
    Z = np.array([0.0, 0.8416, 1.2816, 1.6449, 2.0537, 2.3263])

    def __init__(self) -> None:
        self.likelihood = np.zeros((51, 5))
        # As the paper begins each prompt: nothing alike is wrong, all alike is right.
        for similarity, right in ((0.0, False), (1.0, True)):
            self.observe(similarity, right)

    def observe(self, similarity: float, right: bool) -> None:
        sign = 1.0 if right else -1.0
        self.likelihood = self.likelihood - np.log1p(np.exp(-sign * self.GAMMA * (similarity - self.T)))
        place = int(self.likelihood.argmax())
        self.gamma = float(self.GAMMA[0, place % 5])
        profile = self.likelihood.max(axis=1)
        within = profile[None, :] >= profile.max() - self.Z[:, None] ** 2 / 2
        self.bounds = np.array([self.T[np.flatnonzero(row)[-1], 0] for row in within])

    def explore(self, similarity: float, max_error: float) -> float:
        """The probability of asking the model that keeps the promise."""
        sure = (1 - self.EPSILON) / (1 + np.exp(-self.gamma * (similarity - self.bounds)))
        return float(np.min(1 - max_error / np.maximum(1e-9, 1 - sure)))


def run_vcache(replay: Replay, max_error: float, rng: random.Random) -> Run:
    run, inserted, curves = Run(), [False] * len(replay.texts), dict[int, Curve]()
    for at in range(len(replay.texts)):
        began = time.perf_counter()
        found = next((pair for pair in replay.nearest[at] if inserted[pair[0]]), None)
        explores = found is None or rng.random() <= curves[found[0]].explore(found[1], max_error)
        run.us.append((time.perf_counter() - began) * 1e6)
        right = found is not None and replay.ids[found[0]] == replay.ids[at]
        if not explores:
            run.hit(right)
            continue
        if found is not None:
            run.checks += 1
            curves[found[0]].observe(found[1], right)
        if not right:
            inserted[at], curves[at] = True, Curve()
    return run


def run_verifier(replay: Replay, max_error: float, rng: random.Random) -> Run:
    run, inserted = Run(), [False] * len(replay.texts)
    for at, text in enumerate(replay.texts):
        began = time.perf_counter()
        found = replay.present(at, inserted, 2)
        probability = 0.0
        if found:
            second = found[1][1] if len(found) > 1 else 0.0
            other = question_of(replay.texts[found[0][0]])
            features = pair_features(other, question_of(text), found[0][1], found[0][1] - second)
            probability = replay.verifiers[at].probability(features)
        run.us.append((time.perf_counter() - began) * 1e6)
        if probability >= 1 - max_error:
            run.hit(replay.ids[found[0][0]] == replay.ids[at])
        else:
            inserted[at] = True
    return run


def run_turnout(replay: Replay, max_error: float, rng: random.Random, *, learns: bool = True) -> Run:
    run, inserted, error_bound = Run(), [False] * len(replay.texts), ErrorBound(max_error)
    judges = {id(verifier): verifier for verifier in replay.verifiers}
    candidates = {name: Candidates(verifier, learns=learns) for name, verifier in judges.items()}
    for at, text in enumerate(replay.texts):
        judge = candidates[id(replay.verifiers[at])]
        began = time.perf_counter()
        question = question_of(text)
        neighbours = [Neighbour(replay.entries[place], s) for place, s in replay.present(at, inserted)]
        candidate = judge.judge(question, b"s", neighbours, ASKER)
        allowed = candidate is not None and candidate.learnable is None and error_bound.allows(candidate.probability)
        run.us.append((time.perf_counter() - began) * 1e6)
        if candidate is None:
            judge.note_answer(question, b"%d" % replay.ids[at])
            inserted[at] = True
            continue
        agrees = replay.ids[int.from_bytes(candidate.entry.key, "big")] == replay.ids[at]
        if allowed:
            run.hit(agrees)
        if not allowed or rng.random() < CHECK_SHARE:
            run.checks += 1
            if candidate.learnable is None:
                error_bound.record(candidate.probability, agrees=agrees)
            answer = b"%d" % replay.ids[at]
            if not allowed:
                judge.note_answer(question, answer)
                inserted[at] = True
            if agrees:
                judge.confirm(candidate, answer, ASKER)
            else:
                judge.reject(candidate, ASKER)
    return run


RUNS: dict[str, Callable[..., Run]] = {
    "fixed": run_fixed,
    "vcache": run_vcache,
    "verifier": run_verifier,
    "turnout": run_turnout,
}


# Traffic


def pairs_traffic(pairs: train_cache.Pairs, by_component: dict[int, PairVerifier], embed_all: Any, seed: int) -> Replay:
    """Texts of pairs by chance, until there are enough different ones."""
    rng, chosen = random.Random(seed), dict[str, int]()
    for place in rng.sample(range(len(pairs.texts)), len(pairs.texts)):
        for text, number in zip(pairs.texts[place], pairs.numbered[place], strict=True):
            chosen.setdefault(text, int(pairs.components[number]))
        if len(chosen) >= LOOKUPS:
            break
    texts = list(chosen)
    rng.shuffle(texts)
    ids = [chosen[text] for text in texts]
    return replay_of(texts, ids, [by_component[component] for component in ids], embed_all)


# Words of one meaning that no table of the gate knows.
SYNONYMS = tuple(
    group.split()
    for group in (
        "write compose", "make create craft", "find locate", "explain describe", "use employ", "help assist",
        "important crucial essential", "difference distinction", "people persons", "problem issue", "example instance",
        "story tale", "list enumerate", "company firm", "house home", "children kids", "money cash", "main primary",
        "ways methods", "steps stages", "ideas suggestions", "funny amusing", "beautiful lovely", "friend buddy",
        "doctor physician", "teacher instructor", "student pupil", "city town", "picture image", "travel journey",
        "gift present", "following subsequent", "statement assertion", "correct accurate", "theory hypothesis",
        "result outcome", "study investigation", "method technique", "required needed", "type kind", "likely probable",
        "known recognized", "called named", "occurs happens", "answer reply", "question query", "person individual",
        "year twelvemonth", "total sum", "amount quantity", "each apiece", "show demonstrate", "provide supply",
        "based founded", "given stated", "describes depicts", "used utilized", "food meals", "work labor", "get obtain",
        "need require", "want desire", "best finest", "good decent", "text passage", "sentence phrase", "words terms",
    )
)  # fmt: skip
OTHER_WORDS = {word: [other for other in group if other != word] for group in SYNONYMS for word in group}
# Of a prompt: so that it can be asked in many ways.
LEAST_SLOTS = 3
LONG = 5
FILLERS = ("really", "simply", "quickly", "briefly", "clearly", "properly")
WRAPS = (
    "{}", "{}!", "hello, {}", "hi {}", "Hey there! {}", "Please, {}", "{} please", "{} Thanks!", "{} thank you so much",
    "Good morning, {}", "Could you please tell me: {}", "Hi, {} Thanks in advance", "tell me, {}", "{} ...",
    "Hello! {} Thx", "I would like to know: {}", "good evening, {} Many thanks", "Quick question: {}",
)  # fmt: skip
CASES: tuple[Callable[[str], str], ...] = (str, str, str.lower, str.upper)


def reworded(text: str, rng: random.Random) -> str:
    """The question in other words: up to four of its words by others, or a filler; then courtesy and case."""
    words = text.split()
    slots = [place for place, word in enumerate(words) if word.lower() in OTHER_WORDS]
    for place in rng.sample(slots, min(len(slots), rng.choice((0, 1, 2, 3, 4)))):
        words[place] = rng.choice(OTHER_WORDS[words[place].lower()])
    if rng.random() < 0.3 and len(words) > 3:
        words.insert(2, rng.choice(FILLERS))
    return rng.choice(CASES)(rng.choice(WRAPS).format(" ".join(words)))


def hard_negative(text: str, rng: random.Random) -> str:
    """Another question in nearly the same words."""
    number = re.search(r"\d+", text)
    if number is not None:
        return text[: number.start()] + str(int(number[0]) + rng.randint(1, 9)) + text[number.end() :]
    words = text.split()
    # Short words may say nothing: to exchange them is no other question.
    long = [place for place, word in enumerate(words) if len(word) >= LONG]
    if len(long) < 2 or words[long[0]] == words[long[1]] or rng.random() < 0.5:
        words.insert(min(3, len(words)), rng.choice(("not", "never", "without")))
    else:
        one, other = long[:2]
        words[one], words[other] = words[other], words[one]
    return " ".join(words)


def prompts_in(folder: Path) -> list[str]:
    """Short prompts that can be asked in many ways, each once."""
    found: dict[str, None] = {}
    for name in PROMPT_FILES:
        path = folder / f"{name}.csv.gz"
        if path.exists():
            with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
                for row in csv.DictReader(file):
                    text = " ".join((row.get("prompt") or "").split("\n")[0].split())
                    slots = sum(word.lower() in OTHER_WORDS for word in text.split())
                    if 4 <= len(text.split()) <= 40 and slots >= LEAST_SLOTS:
                        found.setdefault(text)
    return list(found)


def repeated_traffic(prompts: Sequence[str], verifier: PairVerifier, embed_all: Any, seed: int) -> Replay:
    """Different texts of some hundred questions, the popular ones more often."""
    rng = random.Random(1000 + seed)
    base = rng.sample(list(prompts), min(QUESTIONS, len(prompts)))
    questions = [
        text for prompt in base for text in (prompt, *([hard_negative(prompt, rng)] if rng.random() < 0.3 else []))
    ]
    rng.shuffle(questions)
    questions = list(dict.fromkeys(questions))
    weights = [1 / (rank + 1) ** 0.9 for rank in range(len(questions))]
    seen: dict[str, int] = {}
    tries = 0
    while len(seen) < LOOKUPS and tries < 40 * LOOKUPS:
        tries += 1
        (number,) = rng.choices(range(len(questions)), weights)
        seen.setdefault(reworded(questions[number], rng), number)
    texts = list(seen)
    return replay_of(texts, [seen[text] for text in texts], [verifier] * len(texts), embed_all)


# Figures


def index_us(embedder: WordllamaEmbedder, texts: Sequence[str]) -> float:
    """What each policy pays before its own part: the median time to embed a question and compare it with 3,000."""
    index, vectors = VectorIndex(256), [asyncio.run(embedder.embed(text)) for text in texts]
    for at, vector in enumerate(vectors):
        index.add(at.to_bytes(16, "big"), vector)
    times = []

    async def look_up() -> None:
        for text in texts[:300]:
            began = time.perf_counter()
            await candidates_in_turns(*index.snapshot(), await embedder.embed(text), NEIGHBOURS)
            times.append((time.perf_counter() - began) * 1e6)

    asyncio.run(look_up())
    return median(times)


Cell = tuple[float, str]


def play(replay: Replay, seed: int) -> dict[Cell, Run]:
    """What each policy does at each level; `unpromoted` is turnout where checks teach nothing."""
    runs: dict[Cell, Run] = {}
    for max_error in MAX_ERRORS:
        for policy in POLICIES:
            runs[max_error, policy] = RUNS[policy](replay, max_error, random.Random(seed))
        runs[max_error, "unpromoted"] = run_turnout(replay, max_error, random.Random(seed), learns=False)
    for run in runs.values():
        run.us, run.lookups = [median(run.us)], len(replay.texts)
    return runs


def rows_of(played: Sequence[dict[Cell, Run]], traffic: str, base_us: float) -> list[dict[str, Any]]:
    rows = []
    for max_error in MAX_ERRORS:
        for policy in POLICIES:
            runs = [replay[max_error, policy] for replay in played]
            other = "unpromoted" if policy == "turnout" else policy
            hits = sum(run.hits for run in runs)
            rows.append(
                {
                    "policy": policy,
                    "traffic": traffic,
                    "max_error": max_error,
                    "hit_rate": round(mean(run.hits / run.lookups for run in runs), 5),
                    "error": round(sum(run.wrong for run in runs) / hits, 5) if hits else 0.0,
                    "checks": round(mean(run.checks for run in runs), 1),
                    "lookup_us_p50": round(base_us + median(us for run in runs for us in run.us), 1),
                    "replays": len(runs),
                    "lookups": min(run.lookups for run in runs),
                    "promise_held": sum(run.error <= max_error for run in runs),
                    "unpromoted_hit_rate": round(
                        mean(replay[max_error, other].hits / replay[max_error, other].lookups for replay in played), 5
                    ),
                }
            )
    return rows


def in_processes(make: Callable[[int], Replay], replays: int) -> list[dict[Cell, Run]]:
    """Plays the replays, one core each: forked, so that the embedder and the pairs are there already."""
    seeds = multiprocessing.get_context("fork").Queue()
    results = multiprocessing.get_context("fork").Queue()

    def work() -> None:
        while (seed := seeds.get()) is not None:
            results.put((seed, play(make(seed), seed)))

    workers = [multiprocessing.get_context("fork").Process(target=work) for _ in range(os.cpu_count() or 1)]
    for seed in [*range(replays), *[None] * len(workers)]:
        seeds.put(seed)
    for worker in workers:
        worker.start()
    played = {}
    for _ in range(replays):
        seed, runs = results.get()
        played[seed] = runs
        print(f"replay {seed}", file=sys.stderr)
    for worker in workers:
        worker.join()
    return [played[seed] for seed in range(replays)]


def draw(rows: Sequence[dict[str, Any]], path: str) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(2, 2, figsize=(11, 7), sharex=True)
    for column, traffic in enumerate(("pairs", "repeated")):
        for policy in POLICIES:
            mine = [row for row in rows if row["policy"] == policy and row["traffic"] == traffic]
            promised = [row["max_error"] for row in mine]
            axes[0][column].plot(promised, [row["hit_rate"] for row in mine], marker="o", label=policy)
            axes[1][column].plot(promised, [row["error"] for row in mine], marker="o", label=policy)
        axes[1][column].plot(MAX_ERRORS, MAX_ERRORS, color="grey", linestyle=":", label="promised")
        axes[0][column].set_title(f"{traffic} traffic")
        axes[1][column].set_xlabel("max_error")
    axes[0][0].set_ylabel("hit rate")
    axes[1][0].set_ylabel("error among hits")
    axes[1][1].legend()
    figure.tight_layout()
    figure.savefig(path, dpi=90)


def main() -> None:
    shared = Path(__file__).resolve().parents[2] / "shared" / "data"
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print a JSON list and nothing else on standard output")
    parser.add_argument("--data", default=str(shared), help="the folder of the prompts (default: ../shared/data)")
    parser.add_argument("--pairs", default="", help="labelled pairs (default: qqp_visible.csv.gz of --data)")
    parser.add_argument("--plot", default="", metavar="FILE.png", help="draw the hit rates and errors")
    parser.add_argument("--replays", type=int, default=20)
    args = parser.parse_args()
    embedder = WordllamaEmbedder()
    pairs = train_cache.read_pairs(Path(args.pairs or Path(args.data) / "qqp_visible.csv.gz"))
    fitted = train_cache.train_pairs(pairs, embedder.embed_all, embedder="wordllama")
    by_component = {
        int(pairs.components[number]): fitted.by_fold[fold]
        for pair, fold in zip(pairs.numbered, fitted.folds, strict=True)
        for number in pair
    }
    prompts, shipped = prompts_in(Path(args.data)), load_verifier(SHIPPED)
    rows: list[dict[str, Any]] = []
    base_us = index_us(embedder, list(pairs.places)[:LOOKUPS])
    makers: dict[str, Callable[[int], Replay]] = {
        "pairs": lambda seed: pairs_traffic(pairs, by_component, embedder.embed_all, seed),
        "repeated": lambda seed: repeated_traffic(prompts, shipped, embedder.embed_all, seed),
    }
    for traffic, make in makers.items():
        rows += rows_of(in_processes(make, args.replays), traffic, base_us)
    if args.plot:
        draw(rows, args.plot)
    if args.json:
        print(json.dumps(rows, indent=1))
    else:
        for row in rows:
            print("  ".join(f"{name}={value}" for name, value in row.items()))


if __name__ == "__main__":
    main()
