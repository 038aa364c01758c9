"""Protocols that one room needs of another, and the values that pass through them; one module for each group of
rooms that meet. Floor 2: implementations are handed in by `assembly`, never imported."""
