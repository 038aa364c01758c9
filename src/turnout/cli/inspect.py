"""`turnout inspect FILE...`: what would be read of a log, and the line that trains on it or labels it."""

from __future__ import annotations

import argparse
import json
import math
import shlex
import sys
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from turnout.cli import log_input, progress
from turnout.cli.labelled_lines import width_of, wrapped
from turnout.errors import LogError
from turnout.logs.bad_rows import BadRows
from turnout.logs.broken import Broken, Row
from turnout.logs.columns import CONTRACT
from turnout.logs.example import SIDES
from turnout.logs.example_rows import broken_by
from turnout.logs.reader import LogReader
from turnout.logs.rows import amounts_of, grades_of, group_of, prompt_of
from turnout.logs.sides import Understanding, left_out_line, merged_line
from turnout.logs.values import scale_flag

BINS = 10
GROUPS_SHOWN = 10
REASONS_SHOWN = 8
# Of an answer whose length nobody knows yet, and characters a token: as `turnout label` reckons.
ANSWER_TOKENS, CHARACTERS_A_TOKEN = 250, 4


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("logs", nargs="+", metavar="FILE", help="logs of any kind, labelled or not")
    log_input.add_columns(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")


def run(args: argparse.Namespace) -> int:
    """Exit code 0 where the log trains or can be labelled, 1 where it does neither."""
    columns = log_input.columns_of(args)
    reader, seen = LogReader(args.logs, columns, log_input.price_of), _Seen()
    try:
        with progress.progress_bar("reading") as bar:
            for name, line, row in reader.rows():
                seen.take(f"{name}:{line}", row)
                if seen.rows % 5000 == 0:
                    bar(seen.rows, 0)
        refusal = seen.refusal()
    except LogError as error:
        refusal = str(error)
    report = seen.report(reader, refusal, _next_line(args, seen) if not refusal else "")
    print(json.dumps(report) if args.json else wrapped(_text(report), width_of(sys.stdout)))
    return 1 if refusal else 0


@dataclass(slots=True)
class _Seen:
    """What the rows hold, counted as they come."""

    rows: int = 0
    both: int = 0
    one_sided: Counter[str] = field(default_factory=Counter)
    prompts_alone: int = 0
    answers: Counter[str] = field(default_factory=Counter)
    columns: Counter[str] = field(default_factory=Counter)
    groups: Counter[str] = field(default_factory=Counter)
    bins: dict[str, list[int]] = field(default_factory=lambda: {side: [0] * BINS for side in SIDES})
    off_scale: list[float] = field(default_factory=list)
    characters: int = 0
    bad: BadRows = field(default_factory=BadRows)

    def take(self, where: str, row: Row | Broken) -> None:
        self.rows += row.rows if isinstance(row, Broken) else 1
        try:
            if isinstance(row, Broken):
                self._lose(where, row)
                return
            prompt, group, grades = prompt_of(row), group_of(row), grades_of(row)
            # What training refuses for its costs is lost here, too.
            amounts_of(row)
        except ValueError as error:
            self._lose(where, broken_by(error))
            return
        self.characters += len(prompt) if isinstance(prompt, str) else len(str(prompt))
        self.columns.update(name for name in row if name in CONTRACT)
        self.groups[group] += 1
        for name, grade in grades.items():
            self.bins[name.removesuffix("_quality")][min(BINS - 1, int(grade * BINS))] += 1
        self.answers.update(side for side in SIDES if f"{side}_answer" in row)
        if len(grades) == len(SIDES):
            self.both += 1
        elif grades:
            self.one_sided.update(name.removesuffix("_quality") for name in grades)
        else:
            self.prompts_alone += 1

    def _lose(self, where: str, broken: Broken) -> None:
        self.bad.add(where, broken.reason, broken.rows)
        if broken.off_scale is not None and len(self.off_scale) < 10_000:
            self.off_scale.append(broken.off_scale)

    @property
    def to_label(self) -> int:
        """Rows that lack a side's quality."""
        return self.one_sided.total() + self.prompts_alone

    def refusal(self) -> str:
        """Why neither training nor labelling can go on from here; "" where one can."""
        if len(self.off_scale) > max(1, 0.02 * self.rows):
            low = 0.0 if any(bins[0] for bins in self.bins.values()) else min(self.off_scale)
            return f"the qualities are on another scale: pass {scale_flag(low, max(self.off_scale))}, or what it is"
        if not self.both and not self.to_label:
            return f"no row can be used; {self.bad.commonest or 'there is none'}"
        return ""

    def report(self, reader: LogReader, refusal: str, line: str) -> dict[str, Any]:
        """What `--json` prints."""
        return {
            "files": [_file(file) for file in reader.understanding],
            "rows": self.rows,
            "labelled": self.both,
            "one_sided": dict(self.one_sided),
            "prompts_alone": self.prompts_alone,
            "columns": dict(self.columns),
            "groups": dict(self.groups.most_common(GROUPS_SHOWN)),
            "group_count": len(self.groups),
            "quality": self.bins,
            "lost": [{"reason": reason, "rows": count, "where": places} for reason, count, places in self.bad.reasons],
            "to_label": {"rows": self.to_label, **self._label_cost(reader)} if self.to_label and not refusal else None,
            "refused": refusal or None,
            "next": line or None,
        }

    def _label_cost(self, reader: LogReader) -> dict[str, Any]:
        """How many calls labelling would make, each answer that the log holds left out, and their likely cost."""
        calls = 2 * self.to_label - self.one_sided.total()
        models = {side: name for file in reader.understanding for name, side in file.sides.items() if name not in SIDES}
        prices = [price for name in models.values() if (price := log_input.price_of(name)) is not None]
        tokens = self.characters / max(1, self.rows) / CHARACTERS_A_TOKEN + ANSWER_TOKENS
        usd = calls * sum(prices) / len(prices) * tokens / 2 if len(prices) == len(SIDES) else None
        return {"calls": calls, "likely_usd": usd}


def _file(file: Understanding) -> dict[str, Any]:
    sides: dict[str, str] = {}
    for name, side in file.sides.items():
        # A model of several names goes by the one it has most.
        if file.models[name] >= file.models[sides.get(side, name)]:
            sides[side] = name
    return {
        "path": str(file.path),
        "format": file.title,
        "schema": file.schema,
        "sides": {name: model for name, model in sides.items() if not file.models or model in file.models},
        "unclear": list(file.unclear),
        "hint": file.hint,
        "merged": file.merged,
        "left_out": file.left_out,
        "note": file.note,
    }


def _next_line(args: argparse.Namespace, seen: _Seen) -> str:
    """The command to run next, with the options that were given."""
    names = ("prompt", "cheap", "expensive", "model", "quality", "group", "scale")
    options = [("--from", args.source), *((f"--{name}", getattr(args, name)) for name in names)]
    words = [word for option, value in options if value for word in (option, value)]
    # Training refuses fewer.
    if seen.both >= 50:
        return shlex.join(["turnout", "train", *args.logs, *words, "-o", "scorer.turnout"])
    return shlex.join(["turnout", "label", *args.logs, *words, "-o", "labelled.jsonl", "--judge", "MODEL"])


def _text(report: dict[str, Any]) -> str:
    one_sided, lost = sum(report["one_sided"].values()), sum(reason["rows"] for reason in report["lost"])
    counts = f"{report['labelled']} with both qualities, {one_sided} with one, {report['prompts_alone']} with none"
    lines = [*map(_file_line, report["files"]), f"{report['rows']} rows: {counts}, {lost} lost"]
    for reason in report["lost"][:REASONS_SHOWN]:
        lines += [f"  {reason['rows']} lost: {reason['reason']}", f"    {', '.join(reason['where'])}"]
    if any(map(sum, report["quality"].values())):
        histograms = (f"  {side:<10}{_histogram(bins)}" for side, bins in report["quality"].items())
        lines += ["quality, 0 to 1, in tenths:", *histograms]
    if groups := [f"{name} {count}" for name, count in report["groups"].items() if name]:
        lines.append(f"groups ({report['group_count']}): {', '.join(groups)}")
    if report["to_label"]:
        lines.append(_label_line(report["to_label"]))
    return "\n".join([*lines, f"refused: {report['refused']}" if report["refused"] else f"next: {report['next']}"])


def _file_line(file: dict[str, Any]) -> str:
    sides = [f"{side} = {name}" for side, name in sorted(file["sides"].items()) if side != name]
    merged = [merged_line(file["merged"])] if file["merged"] else []
    left_out = [left_out_line(file["left_out"])] if file["left_out"] else []
    note = [file["note"]] if file["note"] else []
    hint = [file["hint"]] if file["hint"] else []
    parts = [
        f"{file['path']}: {file['format']}",
        *([", ".join(sides)] if sides else []),
        *merged,
        *left_out,
        *note,
        *hint,
    ]
    return "; ".join(parts)


def _label_line(missing: dict[str, Any]) -> str:
    usd = missing["likely_usd"]
    cost = "" if usd is None else f", for about {usd:.2f} USD and what judging costs"
    return f"missing: {missing['calls']} answers to {missing['rows']} rows; `turnout label` buys them{cost}"


def _histogram(bins: list[int]) -> str:
    highest = max(bins)
    return "".join(" ▁▂▃▄▅▆▇█"[math.ceil(8 * count / highest) if highest else 0] for count in bins) + f"  {sum(bins)}"
