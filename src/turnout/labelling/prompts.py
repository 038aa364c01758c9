"""The prompts to label: of any log that turnout.logs reads."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from turnout.errors import InvalidRequest, LogError
from turnout.labelling.models import Answer
from turnout.logs.bad_rows import BadRows
from turnout.logs.broken import Broken, Row
from turnout.logs.example import SIDES
from turnout.logs.reader import LogReader
from turnout.logs.rows import group_of, prompt_of
from turnout.logs.values import is_missing, optional_amount, quality
from turnout.openai.messages import Message, Messages, as_messages, canonical_json
from turnout.quota.token_bounds import prompt_size


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """One row to label. prompt: its text, or its messages where it is more than one user's text. row: as it was
    read, for a check that knows the right answer. where: `file:line`. id: the row's own, else its digest."""

    where: str
    prompt: str | Messages
    group: str = ""
    own_id: str = ""
    row: Mapping[str, Any] = field(default_factory=dict)

    @property
    def messages(self) -> Messages:
        return as_messages(self.prompt)

    @property
    def digest(self) -> str:
        """The same for the same messages and group, in whatever file."""
        return digest_of(self.prompt, self.group)

    def known_quality(self, side: str) -> float | None:
        """How good this side's answer was, where the log says it. Raises ValueError, OffScale."""
        grade = self.row.get(f"{side}_quality")
        return None if is_missing(grade) else quality(grade, f"{side}_quality")

    def known_answer(self, side: str) -> Answer | None:
        """This side's answer, where the log holds it."""
        text = self.row.get(f"{side}_answer")
        return Answer(text=text, cost_usd=self.known_usd(side)) if isinstance(text, str) and text else None

    def known_usd(self, side: str) -> Decimal | None:
        """What it cost, where the log says it. Raises ValueError."""
        usd = optional_amount(self.row.get(f"{side}_usd"), f"{side}_usd")
        return None if math.isnan(usd) else Decimal(repr(usd))

    @property
    def id(self) -> str:
        return self.own_id or self.digest


def digest_of(prompt: str | Messages, group: str) -> str:
    """16 hexadecimal digits: among ten million prompts two share one with a chance of 3 in a million."""
    content = canonical_json([list(as_messages(prompt)), group])
    return hashlib.blake2b(content, digest_size=8).hexdigest()


def most_tokens(messages: Sequence[Message]) -> int | None:
    """The most tokens that these messages can make; None for images and files, which nobody can bound here."""
    try:
        size = prompt_size(tuple(messages), {}, {})
    except InvalidRequest:
        return None
    return None if size.images else size.tokens


@dataclass(slots=True)
class Intake:
    """What became of the rows that were read. without: rows of a request log that hold no prompt. hints: what to pass
    where a log may tell qualities that were not found."""

    rows: int = 0
    without: int = 0
    repeated: int = 0
    already: int = 0
    bad: BadRows = field(default_factory=BadRows)
    hints: list[str] = field(default_factory=list)


def read_prompts(logs: LogReader, done: Container[str], intake: Intake) -> Iterator[Prompt]:
    """The prompts that are not labelled yet, each once. done: digests of labelled rows. Raises LogError.

    A row is known by its messages and group alone: logs of several sources share ids, and an edited prompt keeps its.
    """
    seen: set[str] = set()
    path = ""
    for path, line, row in logs.rows():
        intake.rows += row.rows if isinstance(row, Broken) else 1
        if isinstance(row, Broken) and row.promptless:
            intake.without += 1
            continue
        try:
            prompt = _prompt(f"{path}:{line}", row)
            digest = prompt.digest
        except (ValueError, InvalidRequest) as error:
            intake.bad.add(f"{path}:{line}", str(error), row.rows if isinstance(row, Broken) else 1)
            continue
        if digest in done:
            intake.already += 1
        elif digest in seen:
            intake.repeated += 1
        else:
            seen.add(digest)
            yield prompt
    intake.hints = [f"{file.path}: {file.hint}" for file in logs.understanding if file.hint]
    merged = sum(file.merged for file in logs.understanding)
    intake.rows, intake.repeated = intake.rows + merged, intake.repeated + merged
    if intake.rows and intake.without == intake.rows:
        raise LogError(f"{path}: no row holds a prompt; the request log writes them with [log] content = true")


def in_turn(logs: LogReader, done: Container[str], failures: Mapping[str, int], intake: Intake) -> Iterator[Prompt]:
    """As `read`, but rows that failed before come last, the fewest failures first: or the bad rows at the head of a log
    would stand before the good ones for ever. failures: how often, by digest."""
    late: list[tuple[int, Prompt]] = []
    for prompt in read_prompts(logs, done, intake):
        if failed := failures.get(prompt.digest, 0):
            late.append((failed, prompt))
        else:
            yield prompt
    yield from (prompt for _, prompt in sorted(late, key=lambda each: each[0]))


def _prompt(where: str, row: Row | Broken) -> Prompt:
    if isinstance(row, Broken):
        raise ValueError(row.reason)
    content, group = prompt_of(row), group_of(row)
    own = row.get("id")
    own_id = "" if is_missing(own) else str(own)
    prompt = Prompt(where=where, prompt=plain(content), group=group, own_id=own_id, row=row)
    for side in SIDES:
        # What cannot be read makes a bad row here, not one that fails when it is paid for.
        prompt.known_quality(side)
        prompt.known_usd(side)
    return prompt


def plain(prompt: str | Messages) -> str | Messages:
    """One user's text as a text; anything else as it is."""
    if isinstance(prompt, str) or len(prompt) != 1:
        return prompt
    only = prompt[0]
    content = only.get("content")
    return (
        content if set(only) == {"role", "content"} and only["role"] == "user" and isinstance(content, str) else prompt
    )
