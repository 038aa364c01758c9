"""Faults of Redis, of providers, of processes and of the disk, and what requests see of each."""
