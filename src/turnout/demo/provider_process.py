"""A demo provider as a process of its own."""

from __future__ import annotations

from typing import Self

import httpx

from turnout.demo.process import ServerProcess


class ProviderProcess(ServerProcess):
    """`with ProviderProcess("cheap") as provider:` serves at `provider.base_url` until the block ends.

    `skill` is `cheap` or `expensive`; `speed` divides its latencies. `base_url` ends in `/v1`; `model` is its
    model's name.
    """

    base_url: str
    model: str

    def __init__(self, skill: str, *, speed: float = 1.0, port: int = 0) -> None:
        super().__init__(
            "turnout.demo.provider_server", "--skill", skill, "--speed", str(speed), "--port", str(port)
        )  # fmt: skip

    def start(self) -> Self:
        """Returns once the provider answers."""
        super().start()
        self.base_url = f"http://127.0.0.1:{self.told['port']}/v1"
        self.model = self.told["model"]
        return self

    def stats(self) -> dict[str, int]:
        """What the provider has been asked since it started: `calls`, `prompt_tokens`, `completion_tokens`."""
        counted: dict[str, int] = httpx.get(f"{self.base_url.removesuffix('/v1')}/stats").json()
        return counted
