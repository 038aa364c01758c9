"""The decision: features, scorer, threshold, candidates."""
