"""Fuzzing by seed: bodies of callers and replies of providers, valid, nearly valid and hostile, through both doors."""
