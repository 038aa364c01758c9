"""What `benchmarks/neighbour.py` is made of: the app, the provider, the honest user and the hostile callers."""
