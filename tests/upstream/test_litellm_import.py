"""litellm's import: off the loop, once, and never handed out by halves."""

from __future__ import annotations

import subprocess
import sys

HALF_IMPORTED = """
import importlib.machinery, sys, types
from turnout.upstream import litellm_import

half = types.ModuleType("litellm")
half.__spec__ = importlib.machinery.ModuleSpec("litellm", None)
half.__spec__._initializing = True
half.acompletion = None
sys.modules["litellm"] = half
given = []
litellm_import.when_there(given.append)
assert not given, "litellm was handed out in the middle of its import"
half.__spec__._initializing = False
litellm_import.when_there(given.append)
assert given == [half]
"""


def test_litellm_is_not_handed_out_in_the_middle_of_its_import() -> None:
    """Another thread's import takes seconds, and half of its names are there by then."""
    subprocess.run([sys.executable, "-c", HALF_IMPORTED], check=True)
