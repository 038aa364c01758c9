"""The status page in headless Chromium, over real traffic on loopback. Needs the system's chromium; without it the
tests are skipped, and with CI=true they fail."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from importlib import resources
from typing import Any

import httpx
import pytest

from tests.support import fastapi_app
from tests.support.apps import served, settings
from tests.support.provider import USAGE, LoopbackProvider
from turnout.api.status_page import report

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
TOKEN = "a long random text"

# What stands to the right of its box, or below it: the captions of charts, the columns of tables.
CLIPPED = """[...document.querySelectorAll('.scroll, .chart')].filter((box) => {
  const within = box.getBoundingClientRect();
  return [...box.querySelectorAll('td, th')].some((cell) => {
    const {right, bottom} = cell.getBoundingClientRect();
    return right > within.right + 1 || (box.matches('.chart') && bottom > within.bottom + 1);
  });
}).map((box) => box.firstElementChild.id || box.id)"""

pytestmark = pytest.mark.skipif(
    CHROMIUM is None and os.environ.get("CI") != "true", reason="no chromium on this machine"
)


@pytest.fixture(scope="module")
def models() -> Iterator[LoopbackProvider]:
    """The provider, which counts what it is asked."""
    with LoopbackProvider() as provider:
        yield provider


@pytest.fixture(scope="module")
def base(models: LoopbackProvider) -> Iterator[str]:
    """An app that has answered some requests; its address."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TURNOUT_STATUS_TOKEN", TOKEN)
        config = settings(models.base_url, status={"token_env": "TURNOUT_STATUS_TOKEN"}, budgets={"total": "1/day"})
        with served(fastapi_app.mounted(config)) as address:
            with httpx.Client(base_url=address, headers={"x-user-id": "ann"}) as http:
                for number in range(12):
                    text = f"{'hard' if number % 3 == 0 else 'easy'} {number % 6}"
                    body = {"model": "auto", "messages": [{"role": "user", "content": text}]}
                    assert http.post("/v1/chat/completions", json=body).status_code == 200
            yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Headless Chromium."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield running
        running.close()


@pytest.mark.parametrize(
    ("scheme", "width", "height"), [("light", 1280, 800), ("dark", 1280, 800), ("light", 390, 844)]
)
def test_the_page_shows_the_figures_of_its_json(base: str, browser: Any, scheme: str, width: int, height: int) -> None:
    """To the micro-dollar, in light, dark and on a phone; the three answers without scrolling, nothing clipped, no
    error in the console, and the token in no address."""
    context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": height})
    page = context.new_page()
    errors: list[str] = []
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(f"{base}/turnout/status?token={TOKEN}")
    page.wait_for_selector("#cost:not(:empty)")
    figures = _figures(base)
    assert page.url == f"{base}/turnout/status"
    assert page.text_content("#cost") == f"${figures['cost_usd']:.6f}"
    assert page.text_content("#saving") == f"${figures['saving_usd']:.6f}"
    money = page.text_content("#money-rows")
    assert f"${figures['cost_all_expensive_usd']:.6f}" in money
    for part in figures["saving_parts_usd"].values():
        assert f"${part:.6f}" in money
    assert page.text_content("#traffic") == f"{figures['requests']} requests, 0 failed"
    assert page.locator("#t-decisions tbody tr").count() == figures["requests"]
    assert page.locator(".uplot").count() == 4
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.evaluate("document.getElementById('look').getBoundingClientRect().bottom <= innerHeight")
    assert page.evaluate(CLIPPED) == []
    # Over the debugger: the page's own policy would not let it in.
    axe = resources.files("axe_playwright_python").joinpath("axe.min.js").read_text("utf-8")
    context.new_cdp_session(page).send("Runtime.evaluate", {"expression": axe})
    assert [violation["id"] for violation in page.evaluate("axe.run()")["violations"]] == []
    assert errors == []
    context.close()


def test_the_page_s_figures_are_the_provider_s_own_books(base: str, browser: Any, models: LoopbackProvider) -> None:
    """What it was asked, at the prices of the settings, is what the page says was paid, to the micro-dollar."""
    called = models.calls
    assert called["small"]
    assert called["large"]
    tokens = {kind: USAGE[f"{kind}_tokens"] for kind in ("prompt", "completion")}
    # Micro-dollars a token, as in tests.support.apps.
    small, large = (tokens["prompt"] * i + tokens["completion"] * o for i, o in ((0.15, 0.6), (3, 12)))
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{base}/turnout/status?token={TOKEN}")
    page.wait_for_selector("#cost:not(:empty)")
    assert page.text_content("#cost") == f"${(called['small'] * small + called['large'] * large) / 1e6:.6f}"
    context.close()


def test_the_page_is_worked_by_keyboard_alone(base: str, browser: Any) -> None:
    """Skip link, range, threshold and filter, in that order of tabbing."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{base}/turnout/status?token={TOKEN}")
    page.wait_for_selector("#cost:not(:empty)")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_selector("#ranges button:nth-child(2)[aria-pressed=true]")
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == "threshold":
            break
    before = page.text_content("#threshold-value")
    page.keyboard.press("ArrowRight")
    assert page.text_content("#threshold-value") != before
    for _ in range(12):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == "filter":
            break
    page.keyboard.type("expensive")
    assert page.text_content("#shown") == "4 of the last 12"
    context.close()


@pytest.mark.parametrize(
    ("score", "threshold", "said"),
    [
        (0.2107, 0.2114, "score 0.2107 is below the threshold 0.2114"),
        (0.17174133827980161, 0.17174133827980164, "score 0.172 ties with the threshold"),
        (0.9, 0.5, "score 0.900 reaches the threshold 0.500"),
    ],
)
def test_a_score_and_its_threshold_are_told_apart(
    base: str, browser: Any, score: float, threshold: float, said: str
) -> None:
    """With as many digits as that takes; what no digits tell apart is a tie."""
    row = {"time": 1.0, "id": "req_1", "user": "ann", "endpoint": "", "model": "m", "reason": "scored", "cache": "miss"}
    row |= {"tier": "cheap", "error": None, "score": score, "threshold": threshold, "attempts": 1}
    row |= {"cost_usd": 0.0, "turnout_ms": 1.0, "inference_ms": 1.0}
    page = browser.new_page()
    page.set_content(report({**_figures(base), "decisions": [row]}).decode())
    assert said in page.text_content("#t-decisions")
    page.close()


def test_alerts_of_one_rule_are_one_line_above_and_all_below(base: str, browser: Any) -> None:
    """On a phone's first screen too, the most urgent first."""
    spikes = [("spend_spike", f"user:{number}", "Spend has grown. " * 8) for number in range(3)]
    rows = [*spikes, ("circuit_open", "openai/small", "The circuit is open. " * 6), ("drift", "", "It drifts. " * 12)]
    alerts = [{"rule": a, "subject": b, "value": 9, "firing": True, "message": c} for a, b, c in rows]
    page = browser.new_page(viewport={"width": 390, "height": 844})
    page.set_content(report({**_figures(base), "alerts": alerts}).decode())
    assert page.text_content("#health") == "Look closer"
    looks = page.locator("#look li").all_text_contents()
    assert looks[0].startswith("The circuit is open.")
    assert sum("2 more like it" in look for look in looks) == 1
    assert page.locator("#t-alerts tbody tr").count() == 5
    assert page.evaluate("document.getElementById('look').getBoundingClientRect().bottom <= innerHeight")
    assert page.evaluate(CLIPPED) == []
    page.close()


def _figures(base: str) -> dict[str, Any]:
    reply = httpx.get(f"{base}/turnout/status.json?range=1h", headers={"authorization": f"Bearer {TOKEN}"})
    return dict(reply.json())
