"""Draws docs/images/trace.svg, a trace as a waterfall: `python docs/trace.py`. The spans are those that a real request
exports, over loopback, through an OpenTelemetry SDK: the expensive model fails once, is tried again, fails again, and
the cheap one answers."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

ROOT = Path(__file__).parent.parent
PICTURE = Path(__file__).parent / "images" / "trace.svg"

# Pixels: the picture, the column of names, a span's row, a line of text.
WIDTH, NAMES, ROW, LINE = 1000, 300, 26, 16
SHOWN = ("turnout.score", "turnout.threshold", "turnout.tier", "turnout.model", "turnout.reason", "turnout.cache")
FILLS = {"turnout.route": "#3b6ea5", "error": "#b3423a", "": "#3f7d4e"}


async def traced_request() -> Sequence[ReadableSpan]:
    """The spans of one request that is retried, then answered by the other tier."""
    sys.path.insert(0, str(ROOT))
    import httpx
    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
    from starlette.applications import Starlette
    from tests.support.apps import settings
    from tests.support.provider import LoopbackProvider

    from turnout.asgi import TurnoutMiddleware

    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    with LoopbackProvider(latency_s=0.3) as models:
        retry = {"attempts": 2, "base_s": 0.2, "cap_s": 0.2}
        config = settings(models.base_url, routing={"threshold": 0.0}, retry=retry, telemetry={"server_span": True})
        app = TurnoutMiddleware(Starlette(), config)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://app") as client:
            body: dict[str, Any] = {"model": "auto", "messages": [{"role": "user", "content": "Why so?"}]}
            # Once before: litellm's import is part of no trace.
            await client.post("/v1/chat/completions", json={**body, "model": "cheap"})
            exporter.clear()
            models.modes["large"] = "503"
            (await client.post("/v1/chat/completions", json=body)).raise_for_status()
        await app.turnout.aclose()
    return sorted(exporter.get_finished_spans(), key=lambda span: span.start_time or 0)


def drawing(spans: Sequence[ReadableSpan]) -> str:
    """The waterfall of these spans of one trace, in order of their beginning."""
    began = min(span.start_time or 0 for span in spans)
    length = max(span.end_time or 0 for span in spans) - began
    scale = (WIDTH - NAMES - 20) / length
    depths: dict[int, int] = {}
    rows: list[str] = []
    at = 34
    for tick in range(5):
        x = NAMES + (WIDTH - NAMES - 20) * tick / 4
        rows.append(f'<text x="{x:.0f}" y="18" class="tick">{length / 1e6 * tick / 4:.0f} ms</text>')
    for span in spans:
        assert span.context is not None
        depth = depths.get(span.parent.span_id, -1) + 1 if span.parent is not None else 0
        depths[span.context.span_id] = depth
        start, end = span.start_time or 0, span.end_time or 0
        attributes = dict(span.attributes or {})
        kind = "error" if not span.status.is_ok and "error.type" in attributes else span.name
        left, wide = NAMES + (start - began) * scale, max(2.0, (end - start) * scale)
        said = f"{(end - start) / 1e6:.1f} ms"
        if "error.type" in attributes:
            said += f", {attributes['error.type']}"
        rows.append(f'<text x="{10 + 18 * depth}" y="{at + 15}">{escape(span.name)}</text>')
        fill = FILLS.get(kind, FILLS[""])
        rows.append(f'<rect x="{left:.1f}" y="{at + 2}" width="{wide:.1f}" height="18" rx="2" fill="{fill}"/>')
        inside = wide > 8 * len(said)
        x, colour = (left + 6, "#ffffff") if inside else (left - 6, "#1f2328")
        anchor = "start" if inside else "end"
        rows.append(f'<text x="{x:.1f}" y="{at + 15}" text-anchor="{anchor}" fill="{colour}">{escape(said)}</text>')
        at += ROW
        if span.name == "turnout.route":
            told = [
                f"{name.removeprefix('turnout.')} {_short(attributes[name])}" for name in SHOWN if name in attributes
            ]
            rows.append(f'<text x="{NAMES}" y="{at + 11}" class="told">{escape(" · ".join(told))}</text>')
            at += LINE
        for event in span.events:
            x = NAMES + (event.timestamp - began) * scale
            rows.append(f'<path d="M {x:.1f} {at + 2} l 4 7 l -8 0 z" fill="#8a6d1a"/>')
            rows.append(f'<text x="{28 + 18 * depth}" y="{at + 11}" class="told">{escape(event.name)}</text>')
            at += LINE
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {at + 10}" font-family="sans-serif" '
        'font-size="13" fill="#1f2328">\n<title>A trace: one request, its attempts, and what happened between</title>\n'
        "<style>.tick{font-size:11px;fill:#59636e;text-anchor:middle}.told{font-size:11px;fill:#59636e}</style>\n"
        f'<rect width="{WIDTH}" height="{at + 10}" fill="#ffffff"/>\n'
    )
    return head + "\n".join(rows) + "\n</svg>\n"


def _short(value: object) -> str:
    return f"{value:.4f}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    PICTURE.write_text(drawing(asyncio.run(traced_request())), "utf-8")
