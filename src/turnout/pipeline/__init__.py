"""The request path: what happens to one request, in order."""

from turnout.pipeline.pipeline import Pipeline

__all__ = ["Pipeline"]
