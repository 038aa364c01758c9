"""The request path: what happens to one request, in order."""

from turnout.pipeline.path import Pipeline

__all__ = ["Pipeline"]
