"""Labelled logs as files: formats, rows, what is wrong with them. The reader of every command that takes logs."""
