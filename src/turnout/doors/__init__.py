"""The doors: each translates between a server's protocol and the pipeline, and nothing else."""
