"""Rates, budgets, worst cases and pacing: pure rules over the stores' values."""
