"""Which answer may serve a question that it was not given to: words, a verifier, and a bound on errors. Pure."""
