"""The one loopback provider: OpenAI's, Anthropic's, Gemini's and Cohere's wires, and every fault of theirs."""

from tests.support.scripted_provider.replies import (
    ERROR_KINDS,
    FAULTS,
    Answer,
    Failure,
    Raw,
    Received,
    Reply,
    Tokens,
    Tool,
)
from tests.support.scripted_provider.server import ScriptedServer

__all__ = [
    "ERROR_KINDS",
    "FAULTS",
    "Answer",
    "Failure",
    "Raw",
    "Received",
    "Reply",
    "ScriptedServer",
    "Tokens",
    "Tool",
]
