"""The request path: what happens to one request, in order. It begins in `pipeline.pipeline`."""
