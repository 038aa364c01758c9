"""Answers made ahead: which prompts, which of them are asked, at which rate, within which budget."""
