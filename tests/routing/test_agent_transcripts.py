"""What a human asked is scored, whatever coding agents wrap around it."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest

from tests.routing import agent_transcripts
from tests.routing.editor_transcripts import EDITORS
from tests.routing.turns import DUMP, FIRST, SECOND, SUMMARY, Messages
from turnout import Turnout
from turnout.context import Caller
from turnout.openai.human_words import END, human_words
from turnout.openai.session import is_tool_turn, opening
from turnout.ports.scoring import Query
from turnout.routing.features import Reading, read_features
from turnout.routing.tags import identity
from turnout.testing import FixedScorer, ScriptedProvider

AGENTS = {**agent_transcripts.AGENTS, **EDITORS}


def reading(messages: Messages) -> Reading:
    return read_features(Query(messages=tuple(messages)))


@pytest.mark.parametrize("agent", AGENTS)
@pytest.mark.parametrize("looping", [False, True])
def test_what_is_wrapped_around_a_turn_changes_nothing_that_is_scored(agent: str, looping: bool) -> None:
    """Not its text, its numbers, its tag: the task's first turn and the last human one. In a tool's loop neither."""
    bare, wrapped = AGENTS[agent](wrapped=False), AGENTS[agent](wrapped=True, looping=looping)
    assert reading(bare).data.decode() == f"{FIRST}\n{SECOND}"
    assert reading(wrapped).data == reading(bare).data
    assert np.array_equal(reading(wrapped).structure, reading(bare).structure)
    assert identity(wrapped) == identity(bare) != ""


@pytest.mark.parametrize("agent", AGENTS)
def test_a_loops_turn_is_known_and_so_is_its_conversation(agent: str) -> None:
    """However a tool's result is told; and a human's turn is none."""
    make = AGENTS[agent]
    assert is_tool_turn(make(wrapped=True, looping=True))
    assert not is_tool_turn(make(wrapped=False))
    if agent != "codex":
        assert not is_tool_turn(make(wrapped=True))
    known = [tuple(opening(tuple(make(wrapped=True, looping=looping)))) for looping in (False, True)]
    assert known[0] == known[1]
    assert FIRST in known[0]


@pytest.mark.parametrize("agent", AGENTS)
def test_the_decision_is_the_same(agent: str) -> None:
    """By the default scorer, through the whole of Turnout."""

    async def main() -> list[Any]:
        config = {"tiers": {"cheap": {"models": ["openai/s"]}, "expensive": {"models": ["openai/l"]}}}
        async with Turnout({**config, "routing": {"threshold": 0.5}}, provider=ScriptedProvider()) as t:
            told = [
                await t.decide(AGENTS[agent](wrapped=wrapped), caller=Caller(user="a")) for wrapped in (False, True)
            ]
        return [(decision.tier, decision.score, decision.reason) for decision in told]

    bare, wrapped = asyncio.run(main())
    assert bare == wrapped


def test_a_loop_told_as_text_stays_with_its_model() -> None:
    """Cline's results are a user's turns."""

    async def main() -> list[str]:
        models = {name: {"input_usd_per_million": 1, "output_usd_per_million": 1} for name in ("openai/s", "openai/l")}
        config = {
            "tiers": {"cheap": {"models": ["openai/s"]}, "expensive": {"models": ["openai/l"]}},
            "models": models,
            "routing": {"threshold": 0.5},
        }
        scorer = FixedScorer(0.1, scores={SECOND: 0.9})
        async with Turnout(config, provider=ScriptedProvider(), scorer=scorer) as t:
            asked = [AGENTS["cline"](wrapped=True, looping=looping) for looping in (False, True)]
            first = await t.complete(asked[0], caller=Caller(user="a"), metadata={"session_id": "s"})
            await asyncio.sleep(0)
            second = await t.complete(asked[1], caller=Caller(user="a"), metadata={"session_id": "s"})
        return [f"{answer.outcome.tier} {answer.outcome.reason}" for answer in (first, second)]

    assert asyncio.run(main()) == ["expensive scored", "expensive sticky"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("What does <b>bold</b> mean in a<b?", "What does <b>bold</b> mean in a<b?"),
        ("What is a <system-reminder> in an agent?", "What is a <system-reminder> in an agent?"),
        ("```html\n<task>x</task>\n```", "```html\nx\n```"),
        (f"<system-reminder>{DUMP}</system-reminder>", ""),
        (f"<system-reminder>{DUMP}</system-reminder>\nWhy?", "Why?"),
        (f"Why?\n<system-reminder>{DUMP}</system-reminder>", "Why?"),
        (f"Why?\n<file path=\"a.py\">{DUMP}</file>\nAnd how?", "Why?\n\n\nAnd how?"),
        (f"<file_content path=\"a\">{DUMP}</file_content> Why? <notice>x</notice>", "Why?"),
        (f"Here is a summary of the conversation to date: {SUMMARY}", ""),
        (f"[read_file for 'a.py'] Result:\n{DUMP}", ""),
        ("[draft for Bob] Result: ship it. Is this right?", "[draft for Bob] Result: ship it. Is this right?"),
        ("Summary of the conversation so far: what was it?", "Summary of the conversation so far: what was it?"),
        ("file <a> and <file>", "file <a> and <file>"),
        # Claude Code, Codex
        ("Base directory for this skill: /home/u/.claude/skills/pdf\n\n# PDF\nUse pdftotext.", ""),
        ("Stop hook feedback:\n[stop.sh]: tests are red", ""),
        ("<tool_use_error>File has not been read yet</tool_use_error>", ""),
        ("<image name=[Image #1]>\n</image>\nWhy?", "Why?"),
        ("<skill>\n<name>pdf</name>\n# PDF\n</skill>", ""),
        (f"<skill>\n<name>pdf</name>\n{DUMP * 30}</skill>\nWhy?", "Why?"),
        ("<model_switch>\nThe user was previously using a different model.\n</model_switch>", ""),
        # Cline, OpenCode, Goose, LangGraph
        ("<task>\nWhy?\n</task>\n\n# task_progress RECOMMENDED\n\n1. Include a todo list.\n", "Why?"),
        ("# TODO LIST UPDATE REQUIRED - You MUST include the task_progress parameter.\n- [x] a", ""),
        ('Why?\nCalled the Read tool with the following input: {"filePath":"/a"}\n<file>\n00001| x\n</file>', "Why?"),
        ("Continue if you have next steps, or stop and ask for clarification.", ""),
        ("<info-msg>\nWorking directory: /repo\n</info-msg>\nWhy?", "Why?"),
        ("You are in the middle of a conversation that has been summarized.\n\n<summary>x</summary>", ""),
    ],
)  # fmt: skip
def test_the_words_of_a_text(text: str, words: str) -> None:
    """A tag that is only spoken of stays."""
    assert human_words(text) == words


def test_a_text_without_any_is_the_very_same() -> None:
    """However long."""
    long = "a < b and so on\n" * END
    assert human_words(long) is long


@pytest.mark.parametrize(
    "text", ["<" * 3_000_000, "<system-reminder>" * 200_000, "<file " * 500_000, "[a for " * 400_000]
)
def test_reading_takes_bounded_work(text: str) -> None:
    """Of any text at most its ends; tags without an end are looked for once each."""
    assert len(human_words(text)) <= len(text)
    many = [{"role": "user", "content": text}] * 300
    assert len(reading(many).data) <= 10_000


@pytest.mark.parametrize(
    "text",
    [
        "<context>\nOur sales fell in May.\n</context>\nWhy did they?",
        "<rules>Be brief.</rules> What is a monad?",
        "<user_info>Ann, 42</user_info> Write her a birthday card.",
        "<git_status>clean</git_status> What does this tag mean?",
        "What does <user_query> mean in a prompt?",
        "Explain the literal mark --- Content from referenced files --- of a CLI.",
        "Please continue. Then write the tests.",
        "Continue where you left off in the second chapter, and add a dragon.",
        "Here are some READ ONLY fields of a class. Why are they slow?",
        "<skill>juggling</skill> How do I learn it?",
        "<image name=a.png/> Why is this tag not closed?",
        "What did we do so far?",
    ],
)
def test_a_humans_own_tags_and_words_stay(text: str) -> None:
    """An agent's are known by more than a word that anybody may use."""
    assert human_words(text) is text
