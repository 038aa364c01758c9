"""Reads problems out of prompts and solves them; knows nothing of how the prompts were generated."""
