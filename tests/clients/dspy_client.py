"""DSPy: a signature through its own litellm."""

from __future__ import annotations

import dspy
from report import BASE, QUESTION, holds, report

dspy.configure(lm=dspy.LM("openai/auto", api_base=f"{BASE}/v1", api_key="-", cache=False, num_retries=0))


def chat() -> None:
    made = dspy.Predict("question -> answer")(question=QUESTION)
    holds(made.answer == "four", made)


report(chat=chat)
