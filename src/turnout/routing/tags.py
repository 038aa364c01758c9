"""The tag of a request: what the app says (its `tag`, its endpoint), else which system prompt it carries. Pure.

One rule for logs and service. A scorer knows some tags, and the first of these that it knows is the request's: the
app's word, the endpoint, the system prompt; else the request has no tag, as rows of the logs without one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import replace

from turnout.openai.human_words import human_words
from turnout.openai.messages import Message
from turnout.ports.scoring import Query
from turnout.routing.conversation import MOST_MESSAGES, SYSTEM_ROLES, both_ends, joined_ends, turns_of

SYSTEM = "system:"
# Characters read at each end of a system prompt. What varies from user to user is mostly in between, or a number.
END_CHARACTERS = 1_000
# System messages that are read: a request has one or two.
MOST_SYSTEM = 40
_DIGITS = b"0123456789"


def identity(messages: Sequence[Message]) -> str:
    """`system:<12 hex digits>` of the system prompt, its digits left out (dates, times, numbers of accounts); "" where
    there is none. A prompt that names its user or the weekday is another one each time: then it is in too few rows
    of the logs to be known."""
    system = [message for message in both_ends(messages, MOST_MESSAGES) if message.get("role") in SYSTEM_ROLES]
    if not system:
        return ""
    # A message without text is an empty line all the same.
    texts = [text for _, said, _ in turns_of(both_ends(system, MOST_SYSTEM)) for text in said or ("",)]
    # What an agent adds to it, such as reminders and summaries, is no part of it.
    texts = [words for text in texts if (words := human_words(text)) or not text]
    text, length = joined_ends(texts, END_CHARACTERS)
    if not length:
        return ""
    undated = text.encode("utf-8", "replace").translate(None, _DIGITS)
    return SYSTEM + hashlib.blake2b(undated, digest_size=6).hexdigest()


def known_tag(query: Query, known: Collection[str]) -> str:
    """The tag that a scorer which knows these reads the request with; "" where it knows none of its."""
    for named in (query.tag, query.endpoint):
        if named in known:
            return named
    system_prompt = identity(query.messages)
    return system_prompt if system_prompt in known else ""


def with_known_tag(query: Query, known: Collection[str]) -> Query:
    """The request under that tag."""
    tag = known_tag(query, known)
    return query if tag == query.tag else replace(query, tag=tag)
