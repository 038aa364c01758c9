"""The page of `turnout evaluate --report`: figures, curve, targets and groups in one file that needs no other."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from importlib.metadata import version
from importlib.resources import files
from typing import Any

from turnout.cli.output_files import REPORT_MARK

# More points than the picture has columns are drawn over each other.
MOST_POINTS = 600
# Of the drawing's own coordinates: it is stretched to whatever place there is.
WIDTH, HEIGHT = 1000.0, 500.0
# Groups that are shown, the largest first.
MOST_GROUPS = 200
# What stands above all else, and how it is written.
CARDS = {"apgr": ".3f", "keep95_quality": ".1%", "keep95_threshold_share": ".1%", "keep95_saving": ".1%"}
# What each figure means, to who does not know its name.
MEANINGS = {
    "rows": "labelled requests that the figures are of",
    "apgr": "the share of the gap between the tiers that is recovered, averaged over all shares of expensive calls",
    "cpt50": "how much must be expensive to recover half the gap; the lower, the better",
    "cpt80": "the same for 80 % of the gap",
    "keep95_expensive_share": "the least that kept 95 %, chosen with these very rows at hand",
    "keep95_quality": "of all-expensive's quality, at the threshold that the scorer brings",
    "keep95_threshold_share": "what that threshold sends to the expensive tier",
    "keep95_saving": "against asking the expensive tier for everything",
    "aiq": "the area under the best quality for each cost (RouterBench)",
    "aiq_no_router": "the same by drawing lots between the tiers",
    "auc": "how surely the score tells where the expensive answer is better; 0.5 is chance",
    "brier": "the mean squared error of its chance to be better; lower is better",
    "novel_share": "requests unlike the training logs, which are not decided by their text",
}
Points = Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What is shown. title: whose rows, and whose scores. figures: key, label, value and interval. curve, band_low,
    band_high: points of a share of expensive calls in [0, 1] and a quality. chosen: the point that the scorer's own
    threshold gives; target: what that is for. usd: shares and what 1,000 requests cost there, none where that is not
    known. targets: rows of target_backtest.table. calibration: gain as predicted, as measured, and two standard
    errors of it."""

    title: str
    day: str
    report: Mapping[str, Any]
    figures: Sequence[tuple[str, str, str, str]]
    curve: Points
    band_low: Points
    band_high: Points
    chosen: tuple[float, float] | None
    target: str
    usd: Points
    targets: Sequence[Mapping[str, Any]]
    calibration: Sequence[tuple[float, float, float]]

    def html(self) -> str:
        """The document."""
        warnings = "".join(f"<p class=warning><b>Mind:</b> {escape(text)}</p>" for text in self.report["warnings"])
        parts = [
            "<h1>What the routing is worth</h1>",
            f"<p class=of>{escape(self.title)}</p>",
            f"<p class=verdict>{self._verdict()}</p>",
            warnings,
            self._cards(),
            "<h2>What each share of expensive calls gives</h2>",
            self._curve(),
            "<h2>What each wish would mean</h2>",
            self._targets(),
            self._calibration(),
            self._groups(),
            "<h2>All figures</h2>",
            self._figures(),
            f"<footer>Made by Turnout {version('turnout')} on {self.day}. Intervals are the middle 95 % of a bootstrap "
            "over the texts: what other requests of the same kind would likely show.</footer>",
        ]
        style = (files("turnout.cli") / "report_page.css").read_text("utf-8")
        return (
            f"<!doctype html><html lang=en><head><meta charset=utf-8>{REPORT_MARK}"
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<title>{escape(self.title)}</title><style>{style}</style></head><body>{''.join(parts)}</body></html>\n"
        )

    def _verdict(self) -> str:
        rows = f"On these {self.report['rows']:,} requests "
        if self.report["apgr"] is None:
            return f"{rows}there is nothing to route for: {escape(self.report['reason'])}."
        shown = ("keep_quality = 0.95", "max_expensive_share = 0.3")
        line = next((each for each in self.targets if each["wish"] in shown), None)
        if line is None or line["quality_kept"] is None:
            return f"{rows}APGR is {self.report['apgr']:.3f}; a coin's is 0.5."
        saved = (
            "" if line["saving"] is None else f", and saves <b>{line['saving']:.0%}</b> of what asking it alone costs"
        )
        return (
            f"{rows}<code>{escape(line['wish'])}</code> sends <b>{line['expensive_share']:.0%}</b> to the expensive "
            f"tier, keeps <b>{line['quality_kept']:.1%}</b> of its quality{saved}."
        )

    def _cards(self) -> str:
        labels = {key: label for key, label, _, _ in self.figures}
        intervals = self.report["intervals"]
        cards = []
        for key, shown in CARDS.items():
            if (value := self.report.get(key)) is not None:
                interval = " to ".join(format(end, shown) for end in intervals.get(key, ())) or "&nbsp;"
                cards.append(
                    f"<div class=card><span>{escape(labels[key])}</span><strong>{value:{shown}}</strong>"
                    f"<span>{interval}</span></div>"
                )
        return f"<div class=cards>{''.join(cards)}</div>"

    def _curve(self) -> str:
        low, high = self.curve[0][1], self.curve[-1][1]
        values = [y for _, y in (*self.curve, *self.band_low, *self.band_high)]
        frame = Frame((0.0, 1.0), padded(min(values), max(values)))
        thin = [*self.curve[:: max(1, len(self.curve) // MOST_POINTS)], self.curve[-1]]
        dots = [("cheap", 0.0, low), ("dear", 1.0, high)]
        legend = [
            ("<hr>", "by the score"),
            ("<hr class=band>", "middle 95 %"),
            ("<hr class=random>", "drawn at random"),
            ("<i class=cheap></i>", f"all cheap: {low:.3f}"),
            ("<i class=dear></i>", f"all expensive: {high:.3f}"),
        ]
        if self.chosen is not None:
            dots.append(("chosen", *self.chosen))
            legend.append(
                ("<i class=chosen></i>", f"the scorer's own threshold for {self.target}: {self.chosen[0]:.0%}")
            )
        drawn = frame.area("band", [*self.band_low, *reversed(self.band_high)])
        drawn += frame.line("random", [(0.0, low), (1.0, high)]) + frame.line("ours", thin)
        ticks = [(at / 10, f"{10 * at} %") for at in range(0, 11, 2)]
        says = f"Mean quality rises from {low:.3f}, all cheap, to {high:.3f}, all expensive"
        costs = [(share, f"{usd:.3g}") for share, usd in self.usd]
        plot = frame.plot(drawn, dots, ticks, "requests sent to the expensive tier", says, costs)
        table = "".join(
            f"<tr><td class=n>{x:.0%}<td class=n>{y:.4f}"
            for x, y in at_shares(self.curve, [at / 10 for at in range(11)])
        )
        return (
            f"<figure>{plot}{_legend(legend)}<figcaption>Mean quality of the answers, where requests go to the "
            "expensive tier by their score, the highest first.</figcaption></figure>"
            "<details><summary>The curve as numbers</summary><div class=scroll><table>"
            f"<tr><th class=n>expensive<th class=n>mean quality{table}</table></div></details>"
        )

    def _targets(self) -> str:
        known = (("expensive_share", "expensive"), ("quality_kept", "quality kept"), ("gap_recovered", "of the gap"),
                 ("saving", "saved"))  # fmt: skip
        names = tuple(each for each in known if any(line[each[0]] is not None for line in self.targets))
        rows = "".join(
            f"<tr><td><code>{escape(line['wish'])}</code>"
            + "".join(f"<td class=n>{_share(line[name], line['intervals'].get(name))}" for name, _ in names)
            for line in self.targets
        )
        head = "".join(f"<th class=n>{label}" for _, label in names)
        return (
            "<p class=note>One line of <code>[routing]</code>, and what it would have given: each request is held "
            "against a threshold that other requests chose. The threshold in the cards and in the picture is the one "
            "that the scorer's own training chose, so that the two differ.</p>"
            f"<div class=scroll><table><tr><th>wish{head}{rows}</table></div>"
        )

    def _calibration(self) -> str:
        if not self.calibration:
            return ""
        predicted = [x for x, _, _ in self.calibration]
        ends = [each for _, y, error in self.calibration for each in (y - error, y + error)]
        frame = Frame(padded(min(predicted), max(predicted)), padded(min(*ends, *predicted), max(*ends, *predicted)))
        low, high = max(frame.x[0], frame.y[0]), min(frame.x[1], frame.y[1])
        drawn = frame.line("random", [(low, low), (high, high)])
        drawn += "".join(frame.line("ours", [(x, y - error), (x, y + error)]) for x, y, error in self.calibration)
        dots = [("bin", x, y) for x, y, _ in self.calibration]
        ticks = [(at, f"{at:+.2g}" if at else "0") for at in round_steps(*frame.x)]
        plot = frame.plot(drawn, dots, ticks, "expected gain, predicted", "Measured gains by predicted ones")
        legend = [("<i class=bin></i>", f"measured, {len(self.calibration)} equal parts; bars: two standard errors"),
                  ("<hr class=random>", "predictions come true")]  # fmt: skip
        return (
            f"<h2>Do the expected gains come true?</h2><figure>{plot}{_legend(legend)}<figcaption>How much better the "
            "expensive answers were, by how much better they were expected to be.</figcaption></figure>"
        )

    def _groups(self) -> str:
        groups: Mapping[str, Mapping[str, Any]] = self.report["groups"]
        if not groups:
            return ""
        largest = sorted(groups.items(), key=lambda group: -group[1]["rows"])
        rows = "".join(
            f"<tr><td>{escape(name or '(none)')}<td class=n>{each['rows']:,}<td class=n>{each['cheap_quality']:.3f}"
            f"<td class=n>{each['expensive_quality']:.3f}<td class=n>{_figure(each['apgr'])}"
            f"<td>{_span(each['apgr'], each['intervals'].get('apgr'))}"
            for name, each in largest[:MOST_GROUPS]
        )
        more = (
            f"<p class=note>and {len(largest) - MOST_GROUPS:,} smaller groups</p>" if len(largest) > MOST_GROUPS else ""
        )
        return (
            "<h2>By group</h2><div class=scroll><table><tr><th>group<th class=n>rows<th class=n>cheap"
            f"<th class=n>expensive<th class=n>APGR<th>0 to 1, a coin in the middle{rows}</table></div>{more}"
        )

    def _figures(self) -> str:
        rows = "".join(
            f"<tr><td>{escape(label)}<small>{escape(MEANINGS.get(key, ''))}</small><td class=n>{escape(value)}"
            f"<small>{escape(interval)}</small>"
            for key, label, value, interval in self.figures
        )
        return f"<div class=scroll><table><tr><th>figure<th class=n>value, and 95 %{rows}</table></div>"


@dataclass(frozen=True, slots=True)
class Frame:
    """A plot's axes, each from its first to its last value."""

    x: tuple[float, float]
    y: tuple[float, float]

    def line(self, kind: str, points: Points) -> str:
        return f'<polyline class={kind} points="{self._points(points)}"/>'

    def area(self, kind: str, points: Points) -> str:
        return f'<polygon class={kind} points="{self._points(points)}"/>'

    def plot(
        self,
        drawn: str,
        dots: Iterable[tuple[str, float, float]],
        ticks: Sequence[tuple[float, str]],
        name: str,
        says: str,
        above: Sequence[tuple[float, str]] = (),
    ) -> str:
        """The lines as SVG, which is stretched; what may not be, text and dots, stands over it. above: USD."""
        heights = round_steps(*self.y)
        grid = "".join(self.line("grid", [(self.x[0], y), (self.x[1], y)]) for y in heights)
        grid += "".join(self.line("grid", [(x, self.y[0]), (x, self.y[1])]) for x, _ in ticks)
        texts = "".join(
            f'<span class={kind} style="left:{self._left(x):.2f}%">{text}</span>'
            for kind, row in (("x", ticks), ("usd", above))
            for x, text in row
        )
        texts += "".join(f'<span class=y style="top:{self._top(y):.2f}%">{y:.4g}</span>' for y in heights)
        texts += "<span class=usdname>USD for 1,000 requests</span>" if above else ""
        marks = "".join(
            f'<i class={kind} style="left:{self._left(x):.2f}%;top:{self._top(y):.2f}%"></i>' for kind, x, y in dots
        )
        costs = " costs" if above else ""
        return (
            f'<div class="plot{costs}" role=img aria-label="{escape(says)}"><svg viewBox="0 0 {WIDTH:g} {HEIGHT:g}" '
            f'preserveAspectRatio="none" aria-hidden="true">{grid}{drawn}</svg>{marks}{texts}'
            f"<span class=xname>{escape(name)}</span></div>"
        )

    def _points(self, points: Points) -> str:
        return " ".join(f"{WIDTH * self._left(x) / 100:.1f},{HEIGHT * self._top(y) / 100:.1f}" for x, y in points)

    def _left(self, x: float) -> float:
        return 100 * (x - self.x[0]) / (self.x[1] - self.x[0])

    def _top(self, y: float) -> float:
        return 100 * (1 - (y - self.y[0]) / (self.y[1] - self.y[0]))


def padded(low: float, high: float) -> tuple[float, float]:
    """With a little room at both ends."""
    room = 0.06 * (high - low) or 0.05
    return low - room, high + room


def round_steps(low: float, high: float) -> list[float]:
    """Round values between these, some five of them."""
    raw = (high - low) / 5
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(each * power for each in (1, 2, 2.5, 5, 10) if each * power >= raw)
    return [round(at * step, 10) for at in range(math.ceil(low / step), math.floor(high / step) + 1)]


def at_shares(curve: Points, shares: Iterable[float]) -> Iterator[tuple[float, float]]:
    """The curve's points at these shares, linear between its own."""
    at = 0
    for share in shares:
        while at < len(curve) - 2 and curve[at + 1][0] < share:
            at += 1
        (x, y), (next_x, next_y) = curve[at], curve[min(at + 1, len(curve) - 1)]
        part = (share - x) / (next_x - x) if next_x > x else 0.0
        yield share, y + part * (next_y - y)


def _legend(rows: Iterable[tuple[str, str]]) -> str:
    return f"<ul class=legend>{''.join(f'<li>{mark}{escape(text)}' for mark, text in rows)}</ul>"


def _share(value: float | None, interval: Sequence[float] | None) -> str:
    if value is None:
        return "-"
    return f"{value:.1%}" + (f"<small>{interval[0]:.1%} to {interval[1]:.1%}</small>" if interval else "")


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _span(value: float | None, interval: Sequence[float] | None) -> str:
    """An interval and its value between 0 and 1, drawn."""
    if value is None:
        return ""
    low, high = (min(1.0, max(0.0, each)) for each in interval or (value, value))
    at = min(1.0, max(0.0, value))
    says = f"{low:.3f} to {high:.3f}" if interval else ""
    return (
        f'<span class=span title="{says}"><b style="left:{low:.1%};width:{high - low:.1%}"></b>'
        f'<u style="left:{at:.1%}"></u></span>'
    )
