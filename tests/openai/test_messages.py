"""Messages: the one canonical form of their JSON."""

from __future__ import annotations

import json
import math
from datetime import datetime

import pytest

from turnout.errors import InvalidRequest
from turnout.openai.messages import canonical_json


@pytest.mark.parametrize("value", [math.nan, math.inf, {"x": "\ud800"}, {1, 2}, datetime(2026, 1, 1)])
def test_what_is_no_json_has_no_canonical_form(value: object) -> None:
    """NaN least of all: it must not pass as the null that a faster writer makes of it."""
    with pytest.raises(InvalidRequest):
        canonical_json({"temperature": value, "other": None})


@pytest.mark.parametrize("value", [2**70, None, [1.5, True, "é\u2028"], {"b": 1, "a": {"d": 2, "c": 3}}])
def test_the_canonical_form_is_json_with_its_keys_in_order(value: object) -> None:
    """Whichever of the two writers it takes."""
    expected = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    assert canonical_json(value).decode() == expected
