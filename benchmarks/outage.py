"""What do users feel, and what does a sick provider feel, while it goes through a bad minute?

One schedule of faults (healthy, 30 % errors, total outage, 429 storm, hang, recovery) of the preferred model is
played against three ways of calling it: bare `litellm.acompletion` with its default retries, `litellm.Router` with
a fallback and cooldowns, and Turnout; with the same loopback provider, the same timeout of one attempt (1 s), the
same time until a model is tried again (2 s) and the same steady stream of requests, no two alike. A fourth round
asks Turnout, without a second model, for what it answered before.

The times are scaled down (Turnout's own default is 30 s until a probe) so that the whole takes two minutes. The
counts are exact; the latencies are those of one loaded machine, and only their ratio within one round means much.

    python benchmarks/outage.py [--rate 20] [--scale 1.0]
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import logging
import multiprocessing
import platform
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
RESULTS = Path(__file__).parent / "results"
sys.path.insert(0, str(ROOT))

SCHEDULE = (
    (4.0, "ok", "healthy"),
    (4.0, "500@0.3", "30 % errors"),
    (6.0, "500", "outage"),
    (4.0, "429:1", "429 storm"),
    (6.0, "hang", "hang"),
    (5.0, "ok", "recovery"),
)
LATENCY_S = 0.05
TIMEOUT_S = 1.0
RESET_S = 2.0
SETTLE_S = 1.0  # how long an outage may take to be noticed before "once the breaker is open" begins


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One user request: when it began and ended, seconds from the beginning, and who answered ("" nobody)."""

    began: float
    ended: float
    model: str


Ask = Callable[[str], Awaitable[str]]


def serve(pipe: Connection) -> None:
    """The provider's process: plays what it is told to, and tells its counts."""
    from tests.support.provider import LoopbackProvider

    with LoopbackProvider(latency_s=LATENCY_S, keep_bodies=False) as provider:
        pipe.send(provider.base_url)
        while (told := pipe.recv()) is not None:
            if told == "count":
                pipe.send(provider.calls["first"])
            else:
                provider.play("first", *told)
                pipe.send(True)


def told(pipe: Connection, message: Any) -> Any:
    pipe.send(message)
    return pipe.recv()


def phases(scale: float) -> list[tuple[float, float, str]]:
    """(start, end, name) of each phase, seconds."""
    at, out = 0.0, []
    for seconds, _, name in SCHEDULE:
        out.append((at, at + seconds * scale, name))
        at += seconds * scale
    return out


async def play(ask: Ask, pipe: Connection, rate: float, scale: float) -> dict[str, Any]:
    """One way of calling through the whole schedule: every request, and the sick model's calls over time."""
    told(pipe, [(seconds * scale, mode) for seconds, mode, _ in SCHEDULE])
    began = time.monotonic()
    end = phases(scale)[-1][1]
    asked: list[Asked] = []
    counts: list[tuple[float, int]] = [(0.0, told(pipe, "count"))]

    async def one(number: int) -> None:
        since = time.monotonic() - began
        try:
            model = await ask(f"question {number}")
        except Exception:
            # Whatever it is called: the user got no answer.
            model = ""
        asked.append(Asked(began=since, ended=time.monotonic() - began, model=model))

    asking: list[asyncio.Task[None]] = []
    number = 0
    while (now := time.monotonic() - began) < end:
        if now >= number / rate:
            asking.append(asyncio.create_task(one(number)))
            number += 1
        if now - counts[-1][0] >= 0.25:
            counts.append((now, told(pipe, "count")))
        await asyncio.sleep(0.005)
    await asyncio.wait(asking, timeout=30)
    counts.append((time.monotonic() - began, told(pipe, "count")))
    return {"asked": sorted(asked, key=lambda each: each.began), "counts": counts}


def bare(base: str) -> Ask:
    import litellm

    async def ask(text: str) -> str:
        answer = await litellm.acompletion(
            model="openai/first", messages=_messages(text), api_base=base, api_key="-", timeout=TIMEOUT_S
        )
        return str(answer.model).removesuffix("-2026")

    return ask


def router(base: str) -> Ask:
    import litellm

    called = {"api_base": base, "api_key": "-", "timeout": TIMEOUT_S}
    routing = litellm.Router(
        model_list=[
            {"model_name": name, "litellm_params": {"model": f"openai/{name}", **called}}
            for name in ("first", "second")
        ],
        fallbacks=[{"first": ["second"]}],
        cooldown_time=RESET_S,
    )

    async def ask(text: str) -> str:
        answer = await routing.acompletion(model="first", messages=_messages(text))
        return str(answer.model).removesuffix("-2026")

    return ask


def turnout(base: str, *models: str, **sections: Any) -> Any:
    from turnout import Turnout

    called = {
        "params": {"api_base": base}, "timeout_s": TIMEOUT_S, "input_usd_per_million": 1, "output_usd_per_million": 1,
    }  # fmt: skip
    names = [f"openai/{name}" for name in models]
    return Turnout(
        {
            "tiers": {"cheap": {"models": names}, "expensive": {"models": ["openai/unused"]}},
            "models": dict.fromkeys((*names, "openai/unused"), called),
            "routing": {"threshold": 1.0},
            "breaker": {"reset_s": RESET_S},
            **sections,
        }
    )


def _messages(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


async def stale(base: str, pipe: Connection) -> dict[str, Any]:
    """Turnout without a second model: fifty requests, answered in health, asked again in a total outage."""
    told(pipe, [(0.0, "ok"), (0.0, "ok")])
    cache = {"ttl_s": 0.01, "stale_s": 3600, "scope": "app", "enabled": True}
    async with turnout(base, "first", cache=cache, identity={"anonymous_cache": True}) as t:
        for number in range(50):
            await t.complete(f"seen {number}", model="cheap")
        told(pipe, [(0.0, "500"), (0.0, "500")])
        before = told(pipe, "count")
        answered = 0
        for _ in range(4):
            for number in range(50):
                answered += (await t.complete(f"seen {number}", model="cheap")).outcome.cache == "stale"
        return {"asked": 200, "answered_stale": answered, "calls_to_sick": told(pipe, "count") - before}


def figures(run: dict[str, Any], scale: float) -> dict[str, Any]:
    asked: list[Asked] = run["asked"]
    spans = {name: (start, end) for start, end, name in phases(scale)}
    out_start, out_end = spans["outage"]
    back = spans["recovery"][0]
    # Without those that began in health and ended in what followed.
    healthy = _times(asked, 0.0, spans["healthy"][1] - 0.5)
    outage = _times(asked, out_start + SETTLE_S, out_end)
    users = [each for each in asked if out_start <= each.began < out_end]
    first = [each.ended - back for each in asked if each.began >= back and each.model == "first"]
    per_phase = {
        name: round(sum(1 for e in asked if a <= e.began < b and e.model) / max(1, _in(asked, a, b)), 4)
        for name, (a, b) in spans.items()
    }
    return {
        "requests": len(asked),
        "answered_share": round(sum(1 for each in asked if each.model) / len(asked), 5),
        "answered_by_phase": per_phase,
        "fallback_share": round(sum(1 for each in asked if each.model == "second") / len(asked), 4),
        "healthy_p50_s": _quantile(healthy, 0.5),
        "healthy_p99_s": _quantile(healthy, 0.99),
        "outage_p50_s": _quantile(outage, 0.5),
        "outage_p99_s": _quantile(outage, 0.99),
        "sick_calls_per_request_in_outage": round(
            (_count(run, out_end) - _count(run, out_start)) / max(1, len(users)), 3
        ),
        "recovery_to_first_normal_answer_s": round(min(first), 3) if first else None,
    }


def _in(asked: list[Asked], start: float, end: float) -> int:
    return sum(1 for each in asked if start <= each.began < end)


def _times(asked: list[Asked], start: float, end: float) -> list[float]:
    """How long requests took that began in this span, answered or not."""
    return [each.ended - each.began for each in asked if start <= each.began < end]


def _quantile(times: list[float], share: float) -> float:
    return round(sorted(times)[min(len(times) - 1, int(share * len(times)))], 4)


def _count(run: dict[str, Any], at: float) -> float:
    """The sick model's calls until then, between two samples in proportion."""
    counts = run["counts"]
    for (t0, n0), (t1, n1) in itertools.pairwise(counts):
        if t0 <= at <= t1:
            return float(n0 + (n1 - n0) * (at - t0) / max(1e-9, t1 - t0))
    return float(counts[-1][1])


def draw(runs: dict[str, dict[str, Any]], scale: float, path: Path) -> None:
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    colours = {"litellm": "#888888", "litellm.Router": "#d98c1f", "Turnout": "#1f6fb2"}
    figure, axes = plt.subplots(3, 1, figsize=(10, 8.5), sharex=True, constrained_layout=True)
    end = phases(scale)[-1][1]
    steps = [0.5 * step for step in range(int(end / 0.5))]
    for name, run in runs.items():
        asked = run["asked"]
        middle = [at + 0.25 for at in steps]
        here = [[each for each in asked if at <= each.began < at + 0.5] for at in steps]
        answered = [100 * statistics.mean(bool(e.model) for e in group) if group else float("nan") for group in here]
        slowest = [max((e.ended - e.began for e in group), default=float("nan")) for group in here]
        sick = [
            (_count(run, at + 0.5) - _count(run, at)) / max(1, len(group))
            for at, group in zip(steps, here, strict=True)
        ]
        for axis, values in zip(axes, (answered, slowest, sick), strict=True):
            # The Router's is broader: where both answer everything, both are to be seen.
            axis.plot(middle, values, color=colours[name], label=name, linewidth=4 if "Router" in name else 1.8)
    axes[0].set_ylabel("answered, %")
    axes[0].set_ylim(-5, 108)
    axes[1].set_ylabel("slowest request, s")
    axes[1].set_yscale("log")
    axes[2].set_ylabel("calls to the sick model\nper user request")
    axes[2].set_ylim(bottom=0)
    axes[2].set_xlabel("seconds")
    for axis in axes:
        for index, (start, stop, _) in enumerate(phases(scale)):
            axis.axvspan(start, stop, color="#000000", alpha=0.05 if index % 2 else 0.0, linewidth=0)
        axis.spines[["top", "right"]].set_visible(False)
        axis.set_xlim(0, end)
    for start, stop, name in phases(scale):
        axes[0].text((start + stop) / 2, 1.02, name, ha="center", va="bottom", transform=axes[0].get_xaxis_transform())
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=3, frameon=False)
    figure.savefig(path, dpi=130)


async def rounds(base: str, pipe: Connection, rate: float, scale: float) -> tuple[dict[str, Any], dict[str, Any]]:
    runs: dict[str, Any] = {}
    for name, ask in (("litellm", bare(base)), ("litellm.Router", router(base))):
        runs[name] = await play(ask, pipe, rate, scale)
    async with turnout(base, "first", "second", cache={"enabled": False}) as t:

        async def ask(text: str) -> str:
            return str((await t.complete(text, model="cheap")).outcome.model).removeprefix("openai/")

        runs["Turnout"] = await play(ask, pipe, rate, scale)
    return runs, await stale(base, pipe)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--rate", type=float, default=20.0, help="user requests a second")
    options.add_argument("--scale", type=float, default=1.0, help="stretches the schedule")
    chosen = options.parse_args()
    logging.disable(logging.WARNING)
    from turnout.upstream import litellm_import

    litellm_import.load_litellm()
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    provider = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs,), daemon=True)
    provider.start()
    runs, lone = asyncio.run(rounds(ours.recv(), ours, chosen.rate, chosen.scale))
    ours.send(None)
    provider.join(10)
    told_of = {name: figures(run, chosen.scale) for name, run in runs.items()}
    result = {
        "question": __doc__.partition("\n")[0],
        "machine": f"{platform.machine()}, {multiprocessing.cpu_count()} cores, Python {platform.python_version()}",
        "settings": {"rate": chosen.rate, "timeout_s": TIMEOUT_S, "reset_s": RESET_S, "schedule": SCHEDULE},
        "rounds": told_of,
        "turnout_without_a_second_model": lone,
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "outage.json").write_text(json.dumps(result, indent=2) + "\n")
    draw(runs, chosen.scale, RESULTS / "outage.png")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
