"""The status page: one self-contained document, live or with its figures inside it."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

# What browsers may do with the page: run this very script, apply this very style, ask where it came from.
_POLICY = (
    "default-src 'none'; script-src 'sha256-{script}'; style-src 'sha256-{style}'; connect-src 'self'; img-src data:; "
    "base-uri 'none'; form-action 'none'"
)


def page_headers() -> list[tuple[str, str]]:
    """The headers that the live page is served with."""
    return [
        ("content-security-policy", f"{_policy()}; frame-ancestors 'none'"),
        ("cache-control", "no-store"),
        ("referrer-policy", "no-referrer"),
        ("x-content-type-options", "nosniff"),
    ]


@cache
def live_page() -> bytes:
    """The page that asks for its figures."""
    return _document("", "")


def report(figures: Mapping[str, Any]) -> bytes:
    """The page with these figures inside it: it asks for nothing, and opens from a file."""
    # "</script>" in a figure would end the block.
    data = json.dumps(figures, ensure_ascii=False).replace("<", "\\u003c")
    policy = f'<meta http-equiv="content-security-policy" content="{_policy()}">\n'
    return _document(data, policy)


def _document(data: str, meta: str) -> bytes:
    style, script = _assets()
    parts = {"meta": meta, "style": style, "data": data, "script": script}
    before, *rest = _read("page.html").split("{{")
    pieces = [before]
    for piece in rest:
        name, _, text = piece.partition("}}")
        pieces += [parts[name], text]
    return "".join(pieces).encode()


@cache
def _assets() -> tuple[str, str]:
    style = _read("uplot.min.css") + _read("page.css")
    return style, _read("uplot.min.js") + "\n" + _read("page.js")


@cache
def _policy() -> str:
    style, script = (base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in _assets())
    return _POLICY.format(style=style, script=script)


def _read(name: str) -> str:
    return (files("turnout.api") / "page" / name).read_text("utf-8")
