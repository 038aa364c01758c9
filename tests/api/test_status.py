"""The status figures, metrics, health and who may read them, at both doors."""

from __future__ import annotations

import base64
import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, get_args

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.support.status_doors import BEARER, CONFIG, DOORS, TOKEN, Behind
from turnout import Turnout
from turnout.api.status_page import report
from turnout.attempt_errors import ProviderFailed
from turnout.errors import SettingsError
from turnout.records import Reason
from turnout.settings import Settings
from turnout.testing import FixedScorer, Says, ScriptedProvider

ONE = 1e-9


@pytest.fixture(params=DOORS)
def behind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Behind]:
    """A Turnout whose status page is on."""
    monkeypatch.setenv("TURNOUT_STATUS_TOKEN", TOKEN)
    one = Behind(request.param)
    yield one
    one.close()


def some_traffic(behind: Behind) -> None:
    """Two easy, two hard, two hits; 10 prompt tokens each, 1 completion token."""
    for text in ("easy one", "easy two", "hard one", "hard two", "easy one", "hard one"):
        assert behind.chat(text).status_code == 200


def test_the_figures_are_the_provider_s_own_books(behind: Behind) -> None:
    """Money to the micro-dollar: 10 tokens in and 1 out, at 1 and 2, or 10 and 20 USD a million."""
    some_traffic(behind)
    figures = behind.status()
    assert figures["requests"] == 6
    assert figures["cost_usd"] == pytest.approx(2 * 12e-6 + 2 * 120e-6, abs=ONE)
    assert figures["cost_all_expensive_usd"] == pytest.approx(6 * 120e-6, abs=ONE)
    assert figures["saving_usd"] == pytest.approx(6 * 120e-6 - 264e-6, abs=ONE)
    parts = figures["saving_parts_usd"]
    assert parts == {"routing": pytest.approx(216e-6), "cache": pytest.approx(240e-6), "semantic": 0, "batch": 0}
    assert sum(parts.values()) == pytest.approx(figures["saving_usd"], abs=ONE)
    assert figures["cache"]["hits"] == 2
    assert figures["cache"]["hit_rate"] == pytest.approx(1 / 3, abs=1e-6)
    assert figures["tiers"]["cheap"]["cost_usd"] == pytest.approx(24e-6, abs=ONE)
    assert figures["tiers"]["expensive"]["requests"] == 3
    assert figures["models"]["openai/large"]["tokens"] == {"prompt": 20, "completion": 2, "cached": 0, "reasoning": 0}
    assert figures["latency_ms"]["turnout"]["count"] == 6
    assert figures["latency_ms"]["turnout"]["p95"] > 0
    assert figures["circuits"]["openai/small"]["state"] == "closed"
    assert figures["queue"] == {"depth": 0, "oldest_s": None}
    assert {"budgets", "since", "now", "scope"} <= figures.keys()
    assert figures["scope"] == "this process"
    over_time = figures["over_time"]
    assert sum(over_time["cheap"]) + sum(over_time["expensive"]) == 6
    assert sum(over_time["cheap_usd"]) == pytest.approx(24e-6, abs=ONE)
    assert [decision["cache"] for decision in figures["decisions"]][:2] == ["hit", "hit"]
    assert figures["top_users"][0]["cost_usd"] == pytest.approx(264e-6, abs=ONE)
    assert "ann" not in json.dumps(figures)


def test_what_is_refused_before_it_is_routed_is_counted_by_its_code(behind: Behind) -> None:
    """In every protocol, beside the requests; what an outcome tells of is no refusal."""
    chat, messages = "/v1/chat/completions", "/v1/messages"
    asked = {"model": "auto", "messages": [{"role": "user", "content": "easy"}]}
    for path in (chat, messages):
        assert behind.ask("POST", path, content=b"{", headers={"content-type": "application/json"}).status_code == 400
    assert behind.ask("POST", chat, json={**asked, "model": "no/such"}).status_code == 404
    assert behind.ask("POST", chat, json=asked, headers={"content-encoding": "gzip"}).status_code == 415
    huge = str(behind.turnout.settings.server.max_body_bytes + 1)
    assert behind.ask("POST", chat, content=b"{}", headers={"content-length": huge}).status_code == 413
    assert behind.ask("GET", chat).status_code == 405
    behind.provider.say("openai/small", ProviderFailed("down", status=500))
    behind.chat("easy one")
    figures = behind.status()
    assert figures["refused_by_code"] == {
        "invalid_request_error": 2,
        "model_not_found": 1,
        "unsupported_media_type": 1,
        "request_too_large": 1,
        "method_not_allowed": 1,
    }
    assert figures["requests"] == 1
    text = behind.ask("GET", "/turnout/metrics", headers=BEARER).text
    assert 'turnout_refused_total{error="invalid_request_error"} 2.0' in text


def test_a_failed_attempt_s_cost_is_no_saving(behind: Behind) -> None:
    """A stream that broke off was paid, and answered nobody; the saving falls below zero."""
    broken = Says("one two three", breaks=ProviderFailed("cut", status=500))
    behind.provider.say("openai/large", broken)
    reply = behind.chat("hard one", stream=True)
    assert '"error"' in reply.text
    figures = behind.status()
    assert figures["cost_usd"] > 0
    assert figures["failed_attempts_usd"] == figures["cost_usd"]
    assert figures["cost_all_expensive_usd"] == 0
    assert figures["saving_usd"] == -figures["cost_usd"] == figures["saving_parts_usd"]["routing"]
    assert figures["errors"] == 1


def test_an_unknown_price_makes_the_saving_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not zero, and not a part of it."""
    monkeypatch.setenv("TURNOUT_STATUS_TOKEN", TOKEN)
    behind = Behind("asgi", models={"openai/small": CONFIG["models"]["openai/small"], "openai/large": {}})
    behind.turnout.api.counters._prices = dict  # as before litellm's table is there
    behind.chat("easy one")
    figures = behind.status()
    assert figures["saving_usd"] is None
    assert figures["saving_parts_usd"] is None
    assert "without a known price" in figures["saving_unknown"]
    behind.close()


def test_metrics_tell_the_same_figures_with_no_user_in_a_label(behind: Behind) -> None:
    """Prometheus' own parser reads them; names begin with turnout_."""
    some_traffic(behind)
    reply = behind.ask("GET", "/turnout/metrics", headers=BEARER)
    assert reply.headers["content-type"].startswith("text/plain; version=0.0.4")
    families = {family.name: family for family in text_string_to_metric_families(reply.text)}
    assert all(name.startswith("turnout_") for name in families)
    requests = families["turnout_requests"].samples
    assert sum(sample.value for sample in requests) == 6
    assert set(requests[0].labels) == {"endpoint", "tier", "model", "cache", "reason", "error"}
    cost = sum(sample.value for sample in families["turnout_cost_usd"].samples)
    assert cost == pytest.approx(behind.status()["cost_usd"], abs=ONE)
    own = [sample for sample in families["turnout_own_seconds"].samples if sample.name.endswith("_count")]
    assert own[0].value == 6
    assert "ann" not in reply.text


@pytest.mark.parametrize(
    "path", ["/turnout/status", "/turnout/status.json", "/turnout/status/events", "/turnout/metrics"]
)
def test_without_the_token_nothing_leaks(behind: Behind, path: str) -> None:
    """401 with a wrong one, in whatever place; the cookie's value is no bearer token."""
    some_traffic(behind)
    cookie = behind.ask("GET", f"/turnout/status.json?token={TOKEN}").cookies["turnout_status"]
    tries: tuple[dict[str, str], ...] = (
        {},
        {"authorization": "Bearer wrong"},
        {"authorization": f"Basic {TOKEN}"},
        {"cookie": "turnout_status=wrong"},
        {"cookie": f"turnout_status={TOKEN}"},
        {"authorization": f"Bearer {cookie}"},
    )
    for headers in tries:
        reply = behind.ask("GET", path, headers=headers)
        assert reply.status_code == 401
        assert reply.headers["www-authenticate"].startswith("Bearer")
        assert "small" not in reply.text
        assert TOKEN not in reply.text
    assert behind.ask("GET", f"{path}?token=wrong").status_code == 401
    if not path.endswith("events"):
        assert behind.ask("GET", path, headers={"cookie": f"turnout_status={cookie}"}).status_code == 200


def test_the_page_allows_nothing_but_itself(behind: Behind) -> None:
    """Its own script and style by their hashes; nothing from elsewhere, and no place for what a figure says."""
    page = behind.ask("GET", "/turnout/status", headers=BEARER)
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    policy = page.headers["content-security-policy"]
    for rule in ("default-src 'none'", "connect-src 'self'", "base-uri 'none'", "form-action 'none'"):
        assert rule in policy
    assert "frame-ancestors 'none'" in policy
    sent = {"cache-control": "no-store", "referrer-policy": "no-referrer", "x-content-type-options": "nosniff"}
    assert {name: page.headers.get(name) for name in sent} == sent
    assert "unsafe" not in policy
    for tag in ("style", "script"):
        text = page.text.rpartition(f"<{tag}>")[2].partition(f"</{tag}>")[0]
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert "http://" not in page.text.replace("http://www.w3.org/", "")
    assert "https://" not in page.text.replace("https://github.com/leeoniya/uPlot", "")


def test_the_page_has_words_for_every_reason(behind: Behind) -> None:
    """A decision whose reason it does not know would go unexplained."""
    page = behind.ask("GET", "/turnout/status", headers=BEARER).text
    told = page.partition("const REASONS = {")[2].partition("}")[0]
    assert [reason for reason in get_args(Reason) if f"{reason}: " not in told] == []


def test_the_token_in_the_page_s_address_is_left_behind(behind: Behind) -> None:
    """A redirect to the same address without it, by a relative one: the app may be mounted anywhere."""
    reply = behind.ask("GET", f"/turnout/status?token={TOKEN}&range=6h")
    assert reply.status_code == 303
    assert reply.headers["location"] == "status?range=6h"
    assert reply.cookies["turnout_status"]
    assert reply.content == b""


def test_events_hold_the_same_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a reply holds a thread, one event, and the time after which the browser asks again."""
    monkeypatch.setenv("TURNOUT_STATUS_TOKEN", TOKEN)
    behind = Behind("wsgi")
    behind.chat("easy one")
    reply = behind.ask("GET", "/turnout/status/events?range=1h", headers=BEARER)
    assert reply.headers["content-type"].startswith("text/event-stream")
    assert reply.text.startswith("retry: 2000\ndata: {")
    assert json.loads(reply.text.partition("data: ")[2]) == behind.status()
    behind.close()


def test_a_report_holds_its_figures_and_no_way_out_of_its_block(behind: Behind) -> None:
    """Whatever a caller named an endpoint."""
    figures = {**behind.status(), "endpoints": {"</script><script>alert(1)</script>": {"requests": 1, "cost_usd": 0}}}
    page = report(figures).decode()
    assert "<script>alert" not in page
    block = page.partition('id="data">')[2].partition("</script>")[0]
    assert json.loads(block) == figures
    assert "content-security-policy" in page


def test_the_token_in_an_address_becomes_a_cookie(behind: Behind) -> None:
    """HttpOnly, Lax, for this path; Secure only where the request was."""
    reply = behind.ask("GET", f"/turnout/status.json?token={TOKEN}")
    assert reply.status_code == 200
    cookie = reply.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Secure" not in cookie
    assert TOKEN not in cookie


def test_metrics_are_read_from_an_allowed_network_without_a_token(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the connection's own address; the figures for people still need the token."""
    monkeypatch.setenv("TURNOUT_STATUS_TOKEN", TOKEN)
    for door in DOORS:
        networks = {"token_env": "TURNOUT_STATUS_TOKEN", "allow_networks": ["10.0.0.0/8"]}
        behind = Behind(door, status=networks)
        assert behind.ask("GET", "/turnout/metrics", client="10.1.2.3").status_code == 200
        assert behind.ask("GET", "/turnout/status.json", client="10.1.2.3").status_code == 401
        outside = behind.ask("GET", "/turnout/metrics", client="11.1.2.3", headers={"x-forwarded-for": "10.1.2.3"})
        assert outside.status_code == 401
        behind.close()


@pytest.mark.parametrize("door", DOORS)
def test_without_a_token_the_pages_are_off_and_health_stays(door: str) -> None:
    """404; nothing is counted; health tells up or not, and nothing else."""
    behind = Behind(door, status={})
    assert behind.chat("easy one").status_code == 200
    for path in ("/turnout/status.json", "/turnout/metrics"):
        assert behind.ask("GET", path, headers=BEARER).status_code == 404
    assert behind.ask("GET", "/turnout/health/live").json() == {"status": "up"}
    assert behind.ask("GET", "/turnout/health/ready").json() == {"status": "up"}
    assert not behind.turnout.api.counters.pending.series
    assert behind.ask("GET", "/elsewhere").status_code == 418
    behind.close()


def test_a_token_that_is_named_and_not_set_is_refused_at_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the variable."""
    monkeypatch.delenv("TURNOUT_STATUS_TOKEN", raising=False)
    with pytest.raises(SettingsError, match="TURNOUT_STATUS_TOKEN"):
        Turnout(CONFIG, provider=ScriptedProvider(), scorer=FixedScorer())


@pytest.mark.parametrize(
    ("status", "message"),
    [
        ({"allow_networks": ["10.0.0.0/33"]}, "10.0.0.0/33"),
        ({"token_env": "a b"}, "token_env"),
        ({"tokenenv": "X"}, "token_env"),
    ],
)
def test_wrong_settings_are_named(status: dict[str, Any], message: str) -> None:
    """With what would be right."""
    with pytest.raises(SettingsError, match=message):
        Settings.of({**CONFIG, "status": status})


def test_an_unknown_range_is_refused(behind: Behind) -> None:
    """400, with the parameter."""
    reply = behind.ask("GET", "/turnout/status.json?range=7d", headers=BEARER)
    assert reply.status_code == 400
    assert reply.json()["error"]["param"] == "range"


def test_what_an_answer_cost_is_told_with_it(behind: Behind) -> None:
    """In a header of a whole answer, 0 of a hit; of a stream in its usage chunk."""
    assert behind.chat("easy one").headers["x-turnout-cost-usd"] == "0.000012"
    assert behind.chat("easy one").headers["x-turnout-cost-usd"] == "0"
    streamed = behind.chat("hard one", stream=True, stream_options={"include_usage": True})
    assert "x-turnout-cost-usd" not in streamed.headers
    chunks = [json.loads(line[6:]) for line in streamed.text.splitlines() if line.startswith("data: {")]
    assert chunks[-1]["usage"]["turnout"] == {"cost_usd": 0.00012}
    assert chunks[-1]["usage"]["total_tokens"] == 11
    assert streamed.text.rstrip().endswith("data: [DONE]")
    replayed = behind.chat("hard one", stream=True, stream_options={"include_usage": True})
    chunks = [json.loads(line[6:]) for line in replayed.text.splitlines() if line.startswith("data: {")]
    assert chunks[-1]["usage"]["turnout"] == {"cost_usd": 0.0}
    assert "turnout" not in behind.chat("hard one", stream=True).text.replace("turnout/", "")


def test_no_series_stands_twice_in_the_metrics(behind: Behind) -> None:
    """Two circuits open, two endpoints' budgets, a path nobody knows: Prometheus refuses a scrape with a duplicate."""
    some_traffic(behind)
    behind.provider.say("openai/small", ProviderFailed("down", status=500))
    behind.chat("easy three")
    # The watch looks by the clock: what it would show of two circuits.
    alert = {"value": 1.0, "firing": True, "message": "open"}
    route: Any = behind.turnout.api.routes.find("/turnout/metrics")
    snapshots = route.answer.__self__._snapshots
    both = [{"rule": "circuit_open", "subject": model, **alert} for model in ("openai/small", "openai/large")]
    snapshots._sources = replace(snapshots._sources, alerts=lambda: both)
    snapshots.forget()
    text = behind.ask("GET", "/turnout/metrics", headers=BEARER).text
    rows = [
        (sample.name, *sorted(sample.labels.items()))
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    ]
    assert 'turnout_alert_firing{rule="circuit_open"} 1.0' in text
    assert [row for row, number in Counter(rows).items() if number > 1] == []


@pytest.mark.parametrize("user", ["ann", "user:bob"])
def test_a_spender_s_budget_is_told_whatever_the_id_looks_like(monkeypatch: pytest.MonkeyPatch, user: str) -> None:
    """An id that begins as a hash does is no hash."""
    monkeypatch.setenv("TURNOUT_STATUS_TOKEN", TOKEN)
    shown = {"status": {**CONFIG["status"], "user_ids": True}}
    behind = Behind("asgi", budgets={"per_user": "0.5/24h"}, **shown)
    behind.chat("easy one", user=user)
    figures = behind.status()
    assert [row["user"] for row in figures["top_users"]] == [user]
    assert [row["spent_usd"] for row in figures["budgets"]] == [pytest.approx(12e-6, abs=ONE)]
    behind.close()


def test_budgets_are_told_with_what_is_reserved_and_foreseen(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the store holds them, for the total, each endpoint and those who spend most."""
    monkeypatch.setenv("TURNOUT_STATUS_TOKEN", TOKEN)
    behind = Behind("asgi", budgets={"total": "1/day", "per_user": "0.5/24h"})
    behind.chat("easy one")
    by_policy = {row["policy"]: row for row in behind.status()["budgets"]}
    assert by_policy["total"]["spent_usd"] == pytest.approx(12e-6, abs=ONE)
    assert by_policy["total"]["window"] == "day"
    assert by_policy["user"]["window"] == "last 86400 s"
    assert by_policy["user"]["limit_usd"] == 0.5
    assert by_policy["user"]["key"].startswith("user:")
    assert by_policy["user"]["spent_usd"] == pytest.approx(12e-6, abs=ONE)
    metrics = behind.ask("GET", "/turnout/metrics", headers=BEARER).text
    assert 'turnout_budget_spent_usd{key="total",window="day"} 1.2e-05' in metrics
    assert "user:" not in metrics
    behind.close()
