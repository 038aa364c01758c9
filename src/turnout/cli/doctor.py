"""`turnout doctor URL`: what a running app says of the Turnout in it."""

from __future__ import annotations

import argparse
import json
import os
import re
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal

import httpx

from turnout.cli.labelled_lines import labelled, terminal_width
from turnout.errors import UsageError

Severity = Literal["good", "warning", "bad"]
TIMEOUT_S = 10.0
# A call that meets an app which has just started waits for litellm's import.
CALL_TIMEOUT_S = 60.0
PROBE, PROBE_TOKENS = "Answer with one word: yes.", 16
# The column that the texts begin in.
INDENT = 9
# What stands before the words of an operating system's error.
ERRNO = re.compile(r"\[Errno -?\d+\] ")
REMEDY = "is Turnout mounted, and is this the address that it is mounted at?"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at. remedy: what to do, "" where nothing."""

    name: str
    verdict: Severity
    text: str
    remedy: str = ""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("url", metavar="URL", help="where the app runs, as http://127.0.0.1:8000")
    parser.add_argument("--call", action="store_true", help="ask it one short question, which costs a few tokens")
    parser.add_argument(
        "--token-env", default="", metavar="NAME", help="the environment variable that holds the status page's token"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")


def run(args: argparse.Namespace) -> int:
    """Exit code 0 where nothing is bad, else 1."""
    url = args.url.rstrip("/") if "//" in args.url else f"http://{args.url.rstrip('/')}"
    if not url.startswith(("http://", "https://")):
        raise UsageError(f"{args.url} is no address of a web app; write it as http://127.0.0.1:8000")
    if args.token_env and not os.environ.get(args.token_env):
        raise UsageError(f"--token-env {args.token_env}: this variable is not set")
    with httpx.Client(base_url=url, timeout=TIMEOUT_S) as client:
        findings = list(_examined(client, os.environ.get(args.token_env, ""), call=args.call))
    good = all(finding.verdict != "bad" for finding in findings)
    if args.json:
        print(json.dumps({"url": url, "good": good, "findings": [asdict(finding) for finding in findings]}))
    else:
        width = terminal_width()
        for finding in findings:
            print(labelled(f"{finding.verdict}:", f"{finding.name}: {finding.text}", INDENT, width))
            if finding.remedy:
                print(labelled("", finding.remedy, INDENT, width))
    return 0 if good else 1


def _examined(client: httpx.Client, token: str, *, call: bool) -> Iterator[Finding]:
    """Each finding in turn; none after one that makes the rest idle."""
    try:
        live = client.get("/turnout/health/live")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        why = ERRNO.sub("", str(error))
        yield Finding("reached", "bad", f"no answer from {client.base_url}: {why}", "is the app started?")
        return
    if live.status_code != 200 or not _json(live).get("status"):
        yield Finding("mounted", "bad", f"/turnout/health/live answers {live.status_code}", REMEDY)
        return
    yield Finding("mounted", "good", "Turnout answers here")
    try:
        yield from _ready(client)
        yield _models(client)
        yield from _status(client, token)
        if call:
            yield _called(client)
    except httpx.HTTPError as error:
        yield Finding("reached", "bad", f"the app stopped answering: {type(error).__name__} {error}".rstrip())


def _ready(client: httpx.Client) -> Iterator[Finding]:
    response = client.get("/turnout/health/ready")
    if response.status_code == 200:
        yield Finding("ready", "good", "requests are answered at once")
    else:
        remedy = "send traffic once /turnout/health/ready answers 200"
        yield Finding("ready", "warning", "the process still loads", remedy)
    if warning := _json(response).get("warning"):
        yield Finding("behind it", "bad", str(warning), "turnout check --config FILE says more, where the app runs")


def _models(client: httpx.Client) -> Finding:
    response = client.get("/v1/models")
    names = [str(model.get("id")) for model in _json(response).get("data") or () if isinstance(model, dict)]
    if response.status_code == 200 and "auto" in names:
        remedy = "this address was asked without any authentication: whoever reaches it spends your money"
        return Finding("endpoint", "warning", f"/v1 serves {', '.join(names)}", remedy)
    if response.status_code in (401, 403):
        return Finding("endpoint", "good", f"/v1/models answers {response.status_code}: something guards it")
    return Finding("endpoint", "good", "no OpenAI endpoint at /v1: [server] chat_path is off, or another path")


def _status(client: httpx.Client, token: str) -> Iterator[Finding]:
    headers = {"authorization": f"Bearer {token}"} if token else {}
    response = client.get("/turnout/status.json", headers=headers)
    if response.status_code == 200:
        address = f"{client.base_url}/turnout/status".replace("//turn", "/turn")
        yield Finding("status", "good", f"the figures are at {address}")
        yield from _figures(_json(response))
    elif response.status_code == 404:
        yield Finding("status", "warning", "the status page is off", "[status] token_env switches it on")
    else:
        remedy = "pass --token-env NAME, the variable that holds its token"
        text = f"the status page answers {response.status_code}"
        yield Finding("status", "bad" if token else "warning", text, remedy)


def _figures(status: dict[str, Any]) -> Iterator[Finding]:
    """What the status page says of the providers, and the alerts that fire."""
    circuits: dict[str, dict[str, Any]] = status.get("circuits") or {}
    wrong = {name: row for name, row in circuits.items() if row.get("misconfigured") or row.get("state") != "closed"}
    for name, row in wrong.items():
        refused = "it refuses us: its key, its name or its address is wrong"
        text = refused if row.get("misconfigured") else f"its circuit is {row.get('state')}"
        yield Finding("provider", "bad", f"{name}: {text}", "turnout check --call asks each model")
    if circuits and not wrong:
        yield Finding("provider", "good", f"no circuit of {len(circuits)} is open")
    for alert in status.get("alerts") or ():
        if alert.get("firing"):
            yield Finding("alert", "warning", f"{alert.get('rule')}: {alert.get('message')}")


def _called(client: httpx.Client) -> Finding:
    body = {"model": "auto", "messages": [{"role": "user", "content": PROBE}], "max_tokens": PROBE_TOKENS}
    began = time.monotonic()
    try:
        response = client.post("/v1/chat/completions", json=body, timeout=CALL_TIMEOUT_S)
    except httpx.TimeoutException:
        return Finding("call", "bad", f"no answer within {CALL_TIMEOUT_S:g} s", "turnout check --call asks each model")
    if response.status_code in (401, 403):
        return Finding("call", "warning", f"not asked: something guards it ({response.status_code})")
    error = _json(response).get("error") or {}
    if response.status_code == 404 and not (isinstance(error, dict) and error.get("code") == "model_not_found"):
        return Finding("call", "warning", "not asked: there is no endpoint at /v1/chat/completions")
    if response.status_code != 200:
        text = error.get("message") if isinstance(error, dict) else None
        return Finding("call", "bad", f"{response.status_code} {text or ''}".strip(), "turnout check --call says more")
    headers = {name: response.headers.get(f"x-turnout-{name}", "-") for name in ("tier", "model", "reason")}
    parts = ", ".join(f"{name} {value}" for name, value in headers.items())
    return Finding("call", "good", f"answered in {time.monotonic() - began:.2f} s: {parts}")


def _json(response: httpx.Response) -> dict[str, Any]:
    try:
        body = response.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
