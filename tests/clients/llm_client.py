"""simonw's llm, by its command line: a prompt, streamed and not."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from report import ANSWER, BASE, QUESTION, holds, report

home = Path(tempfile.mkdtemp())
(home / "extra-openai-models.yaml").write_text(f"- model_id: turnout\n  model_name: auto\n  api_base: {BASE}/v1\n")


def asked(*options: str) -> str:
    command = [sys.executable, "-m", "llm", "-m", "turnout", *options, QUESTION]
    environ = {**os.environ, "LLM_USER_PATH": str(home), "OPENAI_API_KEY": "-"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environ, check=False)
    return done.stdout.strip() or done.stderr[-200:]


def chat() -> None:
    text = asked("--no-stream")
    holds(text == ANSWER, text)


def stream() -> None:
    text = asked()
    holds(text == ANSWER, text)


report(chat=chat, stream=stream)
