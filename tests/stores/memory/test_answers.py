"""Stored answers in memory: bounded by entries and by bytes, the least recently used going first."""

from __future__ import annotations

import subprocess
import sys

from turnout.ports.admission import NewEntry
from turnout.stores.memory.answers import MemoryAnswers, weight


def _store(size: int = 10, user: str = "") -> NewEntry:
    return NewEntry(packed=b"x" * size, ttl_s=10, stale_s=20, user=user)


def test_the_least_recently_used_goes_first() -> None:
    """By entries and by bytes; reading counts as use."""
    answers = MemoryAnswers(max_entries=2, max_bytes=10_000)
    answers.put(b"a", _store(), 0)
    answers.put(b"b", _store(), 0)
    assert answers.get(b"a", 1)
    answers.put(b"c", _store(), 1)
    assert answers.get(b"b", 1) is None
    assert answers.get(b"a", 1)


def test_bytes_stay_within_their_bound() -> None:
    """Many entries, an overwritten one, and one that is larger than the store."""
    answers = MemoryAnswers(max_entries=10**6, max_bytes=50_000)
    for number in range(20_000):
        answers.put(number.to_bytes(4, "big"), _store(number % 300), 0)
        assert answers.bytes <= 50_000
    answers.put(b"big", _store(60_000), 0)
    assert answers.get(b"big", 0) is None
    assert answers.purge(keys=answers.keys) > 0
    assert answers.bytes == 0
    answers.put(b"a", _store(10), 0)
    answers.put(b"a", _store(20), 0)
    assert answers.bytes == weight(_store(20))


def test_a_million_entries_stay_within_the_byte_bound() -> None:
    """As the operating system counts: resident memory, in a process of its own."""
    code = """
import gc, psutil, random
from turnout.ports.admission import NewEntry
from turnout.stores.memory.answers import MemoryAnswers
process, sizes, bound = psutil.Process(), random.Random(1), 64 << 20
blob = sizes.randbytes(1000)
answers = MemoryAnswers(max_entries=10**7, max_bytes=bound)
gc.collect()
before = peak = process.memory_info().rss
for number in range(1_000_000):
    store = NewEntry(packed=blob[:number % 997], ttl_s=10, stale_s=20, user=f"user-{number}", endpoint="/ask")
    answers.put(number.to_bytes(16, "big"), store, 0.0)
    if number % 20_000 == 0:
        peak = max(peak, process.memory_info().rss)
assert len(answers) > 40_000
print((peak - before) / bound)
"""
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert 0.7 < float(process.stdout) <= 1.0
