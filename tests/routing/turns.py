"""Two human turns, and what the transcripts of agents that hold them are made of."""

from __future__ import annotations

from typing import Any

Messages = list[dict[str, Any]]

FIRST = "Why does the parser drop the last row of a CSV file that ends without a newline?"
SECOND = "Now write a regression test for it, with a file of three rows."
DUMP = "import csv\nclass Parser:\n    pass\n" * 400
SUMMARY = "The user asked about a parser; we read src/parser.py and found an off-by-one error. " * 20


def system() -> Messages:
    return [{"role": "system", "content": "You are a coding agent."}]


def said(text: str) -> Messages:
    return [{"role": "user", "content": text}]


def parts(*texts: str) -> Messages:
    """A user's turn of several parts."""
    return [{"role": "user", "content": [{"type": "text", "text": text} for text in texts]}]


def answered() -> Messages:
    return [{"role": "assistant", "content": "Its loop ends one row early."}]


def ran(name: str) -> Messages:
    """The call of a tool and its result."""
    call = {"id": name, "type": "function", "function": {"name": "search", "arguments": "{}"}}
    asked = {"role": "assistant", "content": "", "tool_calls": [call]}
    return [asked, {"role": "tool", "tool_call_id": name, "content": DUMP}]
