"""The prompts to make answers for: of a file, or the most frequent ones of the request log."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from turnout.context import ANONYMOUS
from turnout.errors import InvalidRequest, LogError
from turnout.logs.bad_rows import BadRows
from turnout.logs.broken import Broken, Row
from turnout.logs.files import records_of
from turnout.logs.rows import prompt_or_messages
from turnout.logs.values import is_missing
from turnout.openai.messages import canonical_json
from turnout.openai.requests import PARAMETERS, ChatRequest, from_call

# What a row may say beside its request: OpenAI's batch format, and labelled logs.
_BESIDE = frozenset(
    {
        *("prompt", "messages", "custom_id", "method", "url", "stream", "stream_options"),
        *("id", "group", "weight", "cheap_quality", "expensive_quality"),
        *("cheap_usd", "expensive_usd", "cheap_answer", "expensive_answer"),
    }
)
# Columns of a table that are part of the request; its cells are texts, which stand for JSON where they are any.
_CELLS = frozenset({*PARAMETERS, "turnout"})


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmPrompt:
    """One request to make the answer of. where: `file:line`. user, endpoint: whose answer it will be, and where it is
    asked; both are part of what an answer is stored by."""

    where: str
    request: ChatRequest
    user: str
    endpoint: str


def read_prompts(path: Path, *, user: str, endpoint: str, bad: BadRows) -> Iterator[WarmPrompt]:
    """The requests of a file: rows of `prompt` or `messages` and parameters, or of OpenAI's batch format. Rows that
    hold none go to `bad`. Raises LogError."""
    table = path.name.removesuffix(".gz").endswith((".csv", ".tsv"))
    for line, row in records_of(path):
        try:
            request = _request(row, table)
        except (ValueError, InvalidRequest) as error:
            bad.add(f"{path}:{line}", str(error), row.rows if isinstance(row, Broken) else 1)
            continue
        yield WarmPrompt(where=f"{path}:{line}", request=request, user=user, endpoint=endpoint)


def _request(row: Row | Broken, table: bool) -> ChatRequest:
    if isinstance(row, Broken):
        raise ValueError(row.reason)
    body = row["body"] if isinstance(row.get("body"), Mapping) else row
    params = {name: value for name, value in body.items() if name not in _BESIDE}
    if table:
        filled = {name: value for name, value in params.items() if not is_missing(value)}
        params = {name: _cell(value) for name, value in filled.items() if name in _CELLS}
        params |= {"model": filled["model"]} if "model" in filled else {}
    return from_call(prompt_or_messages(body), stream=False, params=params)


def _cell(text: Any) -> Any:
    try:
        return json.loads(text)
    except (TypeError, ValueError):
        return text


def most_frequent(path: Path, *, top: int, user: str | None, shared: bool, bad: BadRows) -> list[WarmPrompt]:
    """The requests that stand in a request log most often, the most frequent first.

    shared: the users share answers; else each user's own are counted, an anonymous one's are not stored. user: whose
    alone; None: all users'. Raises LogError, also where no row holds a prompt.
    """
    counts: Counter[str] = Counter()
    with_prompt = 0
    for _, row in _lines(path, user, shared):
        counts[_key(row)] += 1
        with_prompt += "messages" in row
    if not with_prompt:
        raise LogError(f"{path}: no row holds a prompt; the request log writes them with [log] content = true")
    # As many again, for keys whose prompts stand in an older file.
    wanted = {key for key, _ in counts.most_common(2 * top)}
    found: dict[str, WarmPrompt] = {}
    for line, row in _lines(path, user, shared):
        if "messages" not in row or (key := _key(row)) not in wanted or key in found:
            continue
        try:
            prompt = _logged(f"{path}:{line}", row)
        except (TypeError, InvalidRequest) as error:
            bad.add(f"{path}:{line}", str(error))
            continue
        found[key] = prompt
    return [found[key] for key, _ in counts.most_common() if key in found][:top]


def _lines(path: Path, user: str | None, shared: bool) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """The lines that say which request they are of, those of other users left out."""
    for line, row in records_of(path):
        if isinstance(row, Broken) or not ("messages" in row or "cache_key" in row) or row.get("error"):
            continue
        whose = row.get("user") or ANONYMOUS
        if whose == user or (user is None and (shared or whose != ANONYMOUS)):
            yield line, row


def _key(row: Mapping[str, Any]) -> str:
    """What tells requests apart: what its answer is stored by; in a log that does not say it, the request itself."""
    if isinstance(key := row.get("cache_key"), str):
        return key
    said = canonical_json([row.get(name) for name in ("messages", "request", "user", "endpoint")])
    return hashlib.blake2b(said, digest_size=16).hexdigest()


def _logged(where: str, row: Mapping[str, Any]) -> WarmPrompt:
    request = from_call(row["messages"], stream=False, params=row.get("request") or {})
    return WarmPrompt(
        where=where, request=request, user=row.get("user") or ANONYMOUS, endpoint=row.get("endpoint") or ""
    )  # fmt: skip
