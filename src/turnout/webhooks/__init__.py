"""Signed webhooks (Standard Webhooks): sent off the request path, never to where they should not go."""
