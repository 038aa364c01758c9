"""The jobs example in headless Chromium: its page submits, shows the words as they come and the answer, and cancels.
Needs the system's chromium; without it the tests are skipped, and with CI=true they fail."""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.apps import served
from tests.support.provider import LoopbackProvider

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
EXAMPLE = Path(__file__).parents[2] / "examples" / "jobs_app.py"

pytestmark = pytest.mark.skipif(
    CHROMIUM is None and os.environ.get("CI") != "true", reason="no chromium on this machine"
)


@pytest.fixture
def provider() -> Iterator[LoopbackProvider]:
    with LoopbackProvider() as running:
        yield running


@pytest.fixture
def base(provider: LoopbackProvider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The served example."""
    model = f'params = {{ api_base = "{provider.base_url}" }}\n'
    (tmp_path / "turnout.toml").write_text(
        '[tiers.cheap]\nmodels = ["openai/small"]\n[tiers.expensive]\nmodels = ["openai/large"]\n'
        f'[models."openai/small"]\n{model}[models."openai/large"]\n{model}[routing]\nthreshold = 1.0\n[queue]\n'
    )
    monkeypatch.setenv("TURNOUT_CONFIG", str(tmp_path / "turnout.toml"))
    spec = importlib.util.spec_from_file_location("jobs_app_in_browser", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    with served(module.app) as url:
        yield url


@pytest.fixture
def page(base: str) -> Iterator[Any]:
    """The page, opened; its console holds no error in the end."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        opened = browser.new_page(viewport={"width": 760, "height": 380})
        errors: list[str] = []
        opened.on("pageerror", lambda error: errors.append(str(error)))
        opened.goto(base)
        yield opened
        browser.close()
    assert errors == []


def test_the_page_submits_follows_and_shows_the_answer(page: Any, provider: LoopbackProvider) -> None:
    """Status and answer; the words before the end too."""
    from playwright.sync_api import expect

    page.get_by_role("button", name="Ask").click()
    expect(page.locator("#status")).to_have_text("done", timeout=60_000)
    expect(page.locator("#answer")).to_have_text(provider.text)
    expect(page.get_by_role("button", name="Cancel")).to_be_disabled()
    _picture(page, "done")


def test_the_page_cancels_in_mid_call(page: Any, provider: LoopbackProvider) -> None:
    """The provider's call ends, and the page says so."""
    from playwright.sync_api import expect

    provider.modes["*"] = "hang"
    page.get_by_label("Question").fill("why?")
    page.get_by_role("button", name="Ask").click()
    expect(page.locator("#status")).to_have_text("running", timeout=60_000)
    _picture(page, "running")
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("#status")).to_have_text("cancelled", timeout=10_000)
    assert provider.gone.wait(5)


def _picture(page: Any, name: str) -> None:
    """For a person to look at, where `BROWSER_PICTURES` names a folder."""
    if folder := os.environ.get("BROWSER_PICTURES"):
        page.screenshot(path=str(Path(folder) / f"jobs_{name}.png"))
