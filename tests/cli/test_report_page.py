"""The page of `evaluate --report`: what it draws, and what it says where there is little to say."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import pytest

from turnout.cli.report_page import Frame, Page, at_shares, padded, round_steps

WISH = {"wish": "keep_quality = 0.95", "keep_quality": 0.95, "expensive_share": 0.4, "quality_kept": 0.953,
        "gap_recovered": 0.8, "saving": 0.55, "intervals": {"quality_kept": [0.94, 0.97]}}  # fmt: skip


def page(**changed: Any) -> str:
    report: dict[str, Any] = {
        "rows": 1200, "apgr": 0.7, "keep95_quality": 0.95, "keep95_threshold_share": 0.4, "keep95_saving": None,
        "warnings": ["<b> few rows"], "intervals": {"apgr": [0.65, 0.75]},
        "groups": {"a <i>": {"rows": 1100, "cheap_quality": 0.5, "expensive_quality": 0.9, "apgr": 0.7,
                             "intervals": {"apgr": [0.6, 0.8]}},
                   "": {"rows": 100, "cheap_quality": 1.0, "expensive_quality": 1.0, "apgr": None, "intervals": {}}},
        **changed.pop("report", {}),
    }  # fmt: skip
    fields: dict[str, Any] = {
        "title": "logs <1>.csv", "day": "2026-01-02", "report": report,
        "figures": [(name, f"{name} &", "1", "") for name in ("apgr", "keep95_quality", "keep95_threshold_share")],
        "curve": [(0.0, 0.5), (0.4, 0.85), (1.0, 0.9)], "band_low": [(0.0, 0.45), (1.0, 0.85)],
        "band_high": [(0.0, 0.55), (1.0, 0.95)], "chosen": (0.4, 0.85), "target": "keep_quality = 0.95",
        "usd": [(0.0, 0.1), (1.0, 2.5)], "targets": [WISH], "calibration": [(0.0, 0.01, 0.02), (0.9, 0.8, 0.1)],
        **changed,
    }  # fmt: skip
    return Page(**fields).html()


def test_it_says_what_the_wish_would_mean_above_all() -> None:
    """With how sure that is further down; texts of the logs are no markup."""
    text = page()
    said = re.sub("<[^>]+>", "", text)
    assert "On these 1,200 requests keep_quality = 0.95 sends 40% to the expensive tier, keeps 95.3%" in said
    assert "saves 55%" in said
    assert "94.0% to 97.0%" in said
    assert "0.650 to 0.750" in said
    assert "USD for 1,000 requests" in said
    for raw in ("<1>", "<b> few", "a <i>", " &<"):
        assert raw not in text


def test_it_is_whole_html() -> None:
    """Whatever is opened and has to be is closed."""
    opened: list[str] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: Any) -> None:
            if tag in (
                "div",
                "table",
                "figure",
                "ul",
                "span",
                "details",
                "strong",
                "code",
                "b",
                "i",
                "u",
                "svg",
                "small",
            ):
                opened.append(tag)

        def handle_endtag(self, tag: str) -> None:
            if opened and tag in opened:
                assert opened.pop() == tag

    Reader().feed(page())
    assert opened == []


@pytest.mark.parametrize(
    ("changed", "there", "gone"),
    [
        (
            {"report": {"apgr": None, "reason": "there is no gap"}},
            "nothing to route for: there is no gap",
            "</code> sends",
        ),
        ({"targets": [{**WISH, "saving": None}]}, "of its quality.", "<th class=n>saved"),
        ({"usd": []}, "By group", "USD for"),
        ({"calibration": []}, "By group", "come true"),
        ({"report": {"groups": {}}}, "All figures", "By group"),
        ({"chosen": None}, "drawn at random", "<i class=chosen"),
    ],
)
def test_what_is_not_known_is_left_out(changed: dict[str, Any], there: str, gone: str) -> None:
    """No empty table, no empty axis."""
    text = re.sub("</?[b]>|<style>.*</style>", "", page(**changed), flags=re.S)
    assert there in text
    assert gone not in text


def test_a_flat_curve_is_drawn_all_the_same() -> None:
    """Tiers that are alike."""
    text = page(curve=[(0.0, 0.5), (1.0, 0.5)], band_low=[(0.0, 0.5)], band_high=[(0.0, 0.5)])
    assert "nan" not in text
    assert "0.5" in text


def test_axes_have_round_steps_and_points_their_place() -> None:
    """Some five, within the axis; the origin is below left."""
    assert round_steps(0.0, 1.0) == [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    assert round_steps(0.71, 0.93) == [0.75, 0.8, 0.85, 0.9]
    assert padded(1.0, 1.0) == (0.95, 1.05)
    assert Frame((0.0, 1.0), (0.0, 2.0)).line("ours", [(0.0, 0.0), (0.5, 1.0), (1.0, 2.0)]) == (
        '<polyline class=ours points="0.0,500.0 500.0,250.0 1000.0,0.0"/>'
    )
    assert list(at_shares([(0.0, 0.0), (0.5, 1.0), (1.0, 1.0)], [0.0, 0.25, 0.5, 1.0])) == [
        (0.0, 0.0), (0.25, 0.5), (0.5, 1.0), (1.0, 1.0)
    ]  # fmt: skip
