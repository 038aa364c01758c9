"""The observers of requests: spans and metrics by OpenTelemetry's conventions, and the request log."""
