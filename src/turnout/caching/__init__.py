"""Answers kept and calls shared: keys, packed entries, flights."""
