"""Which answer may serve a question that it was not given to: words, a verifier, and a promise about errors. Pure."""
