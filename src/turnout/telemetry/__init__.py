"""What is told of each request: spans, by OpenTelemetry's conventions."""
