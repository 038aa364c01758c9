"""Marks of what to cache: at most four, no text changed."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from turnout.openai.messages import text_of
from turnout.openai.prompt_cache import MOST_MARKS, with_marks

TOOLS = [{"type": "function", "function": {"name": name}} for name in "ab"]


def test_the_ends_of_tools_system_and_the_last_two_turns_are_marked() -> None:
    """In four marks; what was given is not touched."""
    messages: list[dict[str, Any]] = [{"role": "system", "content": "S"}]
    for turn in range(3):
        messages += [{"role": "user", "content": f"q{turn}"}, {"role": "assistant", "content": "a"}]
    before = copy.deepcopy(messages)
    marked, tools = with_marks(messages, TOOLS)
    places = [place for place, message in enumerate(marked) if "cache_control" in str(message)]
    assert places == [0, 3, 5]
    assert ["cache_control" in tool for tool in tools] == [False, True]
    assert messages == before


CONTENT = st.one_of(
    st.text(max_size=5),
    st.lists(
        st.fixed_dictionaries(
            {"type": st.just("text"), "text": st.text(max_size=5)}, optional={"cache_control": st.just({"type": "x"})}
        ),
        min_size=1,
        max_size=3,
    ),
)
MESSAGES = st.lists(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["system", "user", "assistant", "tool"]), "content": CONTENT},
        # Marks that litellm passes on.
        optional={"tool_calls": st.just([{"id": "c", "type": "function", "cache_control": {"type": "x"}}])},
    ),
    min_size=1,
    max_size=8,
)


@settings(max_examples=60, deadline=None)
@given(MESSAGES, st.booleans())
def test_never_more_than_four_and_no_text_changed(messages: list[dict[str, Any]], offered: bool) -> None:
    """The caller's own marks count; where they are more already, none is added."""
    own = str(messages).count("cache_control")
    marked, tools = with_marks(messages, TOOLS if offered else ())
    assert str((marked, tools)).count("cache_control") <= max(MOST_MARKS, own)
    assert list(map(text_of, marked)) == list(map(text_of, messages))
