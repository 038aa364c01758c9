"""A provider's own stream below litellm's: what litellm loses of it on the way, or cannot read."""

from __future__ import annotations

from typing import Any

from turnout.attempt_errors import ProviderFailed
from turnout.openai.answers import Body
from turnout.upstream.cohere_events import bare_lines
from turnout.upstream.direct.plain import FAILED, finish_reason


class StreamWatch:
    """The provider's own stream below litellm's, which replaces the real model's name by the one asked for, and of
    several choices' finishes tells one, as the first choice's."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._chunks = aiter(stream)
        self._model: str | None = None
        self._frame: Body = {}
        # What each choice that was seen ended with.
        self._finishes: dict[int, str | None] = {}

    def __aiter__(self) -> StreamWatch:
        return self

    async def __anext__(self) -> Any:
        chunk = await anext(self._chunks)
        model = getattr(chunk, "model", None)
        self._model = model if isinstance(model, str) else self._model
        for choice in getattr(chunk, "choices", None) or ():
            index, finish = getattr(choice, "index", None), getattr(choice, "finish_reason", None)
            if isinstance(finish, str) and finish in FAILED:
                # litellm would say `stop`.
                raise ProviderFailed(f"the provider's answer ended with {finish!r}")
            if isinstance(index, int):
                self._finishes[index] = finish if isinstance(finish, str) else self._finishes.get(index)
        return chunk

    def mended(self, chunk: Body) -> list[Body]:
        """This chunk of litellm's as the provider meant it, and what belongs before it."""
        if self._model:
            chunk["model"] = self._model
        self._frame = chunk
        if len(self._finishes) < 2:
            return [chunk]
        for choice in chunk["choices"]:
            choice["finish_reason"] = None
        spoken = [choice for choice in chunk["choices"] if choice["delta"]]
        if spoken or not chunk["choices"]:
            before = None if spoken else self.finishing()
            return [*([before] if before else []), {**chunk, "choices": spoken}]
        return []

    def finishing(self) -> Body | None:
        """The chunk that tells how each of several choices ended, once; None for one choice, and where none did. Raises
        ProviderFailed where one tells a failure."""
        from litellm.litellm_core_utils.core_helpers import map_finish_reason

        ended = {
            index: finish_reason(finish, called=False, map_finish=map_finish_reason)
            for index, finish in self._finishes.items()
            if finish
        }
        if len(self._finishes) < 2 or not ended:
            return None
        self._finishes = dict.fromkeys(self._finishes)
        frame = {name: value for name, value in self._frame.items() if name != "usage"}
        choices: list[Body] = [
            {"index": index, "delta": {}, "finish_reason": finish} for index, finish in sorted(ended.items())
        ]
        return {**frame, "choices": choices}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def mend_cohere(stream: Any) -> None:
    """Gives litellm's reader of Cohere's streams the lines that it can read."""
    if type(stream).__name__ == "CohereV2ModelResponseIterator":
        from litellm.litellm_core_utils.core_helpers import map_finish_reason

        stream.streaming_response = bare_lines(stream.streaming_response, map_finish_reason)
