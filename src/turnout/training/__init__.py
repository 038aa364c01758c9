"""From labelled logs to a scorer file, and what that file is worth. Loaded by the command line only."""
