"""The section of the job queue: present, the queue is on."""

from __future__ import annotations

from dataclasses import dataclass

from turnout.settings.reader import require


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """How many jobs run at once, over all workers; how many may wait; how long results are kept.

    path: the file of accepted work without [redis]; relative to the settings file. in_app: with [redis] the app's
    processes work on jobs too; without it they always do. max_priority: the highest that a caller from outside may ask
    for, who would go before everybody else otherwise; a higher one is taken for it. max_bytes: of the requests,
    results and events of all jobs that are kept; beyond it none is accepted. With [redis]: far less than its
    maxmemory, or whoever submits large jobs takes it from everybody. replay_deadline_s: how long one replay of a heavy
    path of the app's own may take; a chat job's call may take [retry] deadline_s, as any.
    """

    concurrency: int = 8
    max_length: int = 10_000
    path: str = "turnout-jobs.sqlite"
    result_ttl_s: float = 86_400.0
    max_per_user: int = 10_000
    in_app: bool = False
    max_priority: int = 9
    max_bytes: int = 4_294_967_296
    replay_deadline_s: float = 600.0  # Dramatiq's limit: heavy work may take long, and what hangs gives its place back

    def __post_init__(self) -> None:
        for key in ("concurrency", "max_length", "max_per_user", "result_ttl_s", "replay_deadline_s"):
            value = getattr(self, key)
            require(0 < value <= 10**9, key, value, "must be more than 0, at most 10^9")
        require(0 < self.max_bytes <= 10**15, "max_bytes", self.max_bytes, "must be more than 0, at most 10^15")
        require(0 <= self.max_priority <= 9, "max_priority", self.max_priority, "must be from 0 to 9")
        require(bool(self.path.strip()), "path", self.path, "must name a file")
