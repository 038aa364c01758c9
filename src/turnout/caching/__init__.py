"""Cached answers and shared calls: cache keys, packed entries, flights."""
