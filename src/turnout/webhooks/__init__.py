"""Signed webhooks (Standard Webhooks): sent off the request path, to allowed addresses only."""
