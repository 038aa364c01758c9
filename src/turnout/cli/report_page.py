"""The page of `turnout evaluate --report`: figures, curve and groups in one file that needs nothing beside it."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from turnout.cli.output_files import REPORT_MARK

WIDTH, HEIGHT, MARGIN = 640, 360, 48
# More points than the picture has columns are drawn over each other.
MOST_POINTS = 600
STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 52rem; padding: 0 1rem; color: #1c1c1c }
table { border-collapse: collapse; margin: 1rem 0 } th, td { text-align: left; padding: .2rem 1rem .2rem 0 }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums } tr { border-bottom: 1px solid #ddd }
svg { max-width: 100%; height: auto } .warning { border-left: 4px solid #b35900; padding-left: .8rem }
"""


def page(title: str, report: dict[str, Any], figures: Sequence[tuple[str, str, str]], curve: tuple[Any, Any]) -> str:
    """The HTML. figures: label, value and interval. curve: shares of expensive calls and mean qualities, [n] each."""
    warnings = "".join(f"<p class=warning>Warning: {escape(text)}</p>" for text in report["warnings"])
    rows = "".join(
        f"<tr><td>{escape(label)}<td class=number>{escape(value)}<td>{escape(interval)}"
        for label, value, interval in figures
    )
    return (
        f"<!doctype html><html lang=en><head><meta charset=utf-8>{REPORT_MARK}"
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>"
        f"<h1>What the routing is worth</h1><p>{escape(title)}</p>{warnings}"
        f"<figure>{_picture(*curve)}<figcaption>Mean quality by the share of requests that go to the expensive tier, "
        "the highest scores first; dashed: requests drawn at random.</figcaption></figure>"
        f"<table><tr><th>figure<th class=number>value<th>95 %{rows}</table>{_groups(report['groups'])}</body></html>\n"
    )


def _groups(groups: dict[str, dict[str, Any]]) -> str:
    if not groups:
        return ""
    largest = sorted(groups.items(), key=lambda group: -group[1]["rows"])
    rows = "".join(
        f"<tr><td>{escape(name or '(none)')}<td class=number>{figures['rows']}"
        f"<td class=number>{figures['cheap_quality']:.3f}<td class=number>{figures['expensive_quality']:.3f}"
        f"<td class=number>{'-' if figures['apgr'] is None else format(figures['apgr'], '.3f')}"
        for name, figures in largest
    )
    head = "<tr><th>group<th class=number>rows<th class=number>cheap<th class=number>expensive<th class=number>APGR"
    return f"<h2>By group</h2><table>{head}{rows}</table>"


def _picture(share: Any, quality: Any) -> str:
    """The curve as SVG."""
    low, high = float(min(quality)), float(max(quality))
    spread = high - low or 1.0

    def point(x: float, y: float) -> str:
        left = MARGIN + x * (WIDTH - 2 * MARGIN)
        return f"{left:.1f},{HEIGHT - MARGIN - (y - low) / spread * (HEIGHT - 2 * MARGIN):.1f}"

    step = max(1, len(share) // MOST_POINTS)
    kept = [*range(0, len(share), step), len(share) - 1]
    line = " ".join(point(float(share[at]), float(quality[at])) for at in kept)
    ends = f"{point(0.0, float(quality[0]))} {point(1.0, float(quality[-1]))}"
    labels = "".join(
        f'<text x="{x}" y="{y}" text-anchor="{anchor}" font-size="12">{text}</text>'
        for x, y, anchor, text in (
            (MARGIN, HEIGHT - MARGIN + 18, "middle", "0 %"),
            (WIDTH - MARGIN, HEIGHT - MARGIN + 18, "middle", "100 % expensive"),
            (MARGIN - 6, HEIGHT - MARGIN, "end", f"{low:.2f}"),
            (MARGIN - 6, MARGIN + 4, "end", f"{high:.2f}"),
        )
    )
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="quality by share of expensive calls" '
        f'xmlns="http://www.w3.org/2000/svg"><polyline points="{ends}" fill="none" stroke="#8a8a8a" '
        f'stroke-dasharray="5 4"/><polyline points="{line}" fill="none" stroke="#1f5fa8" stroke-width="2.2"/>'
        f"{labels}</svg>"
    )
