"""What litellm does not read of providers' own wires."""

from __future__ import annotations

from typing import Any

import pytest

from turnout.upstream.gemini_answer import add_arguments


@pytest.mark.parametrize("given", [{}, {"args": None}])
def test_a_call_of_a_tool_without_parameters_has_an_empty_object(given: dict[str, Any]) -> None:
    """Gemini leaves it out, and litellm's class fails at that."""
    data = {"candidates": [{"content": {"parts": [{"functionCall": {"name": "now", **given}}]}}]}
    assert add_arguments(data)
    assert data["candidates"][0]["content"]["parts"] == [{"functionCall": {"name": "now", "args": {}}}]
    assert not add_arguments(data)


@pytest.mark.parametrize("data", [None, [], {}, {"candidates": None}, {"candidates": [5, {"content": {"parts": [5]}}]}])
def test_what_holds_no_call_is_left_alone(data: Any) -> None:
    """Whatever a server sends."""
    assert not add_arguments(data)
