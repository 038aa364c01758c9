"""The way out to the models: the litellm providers, retries, failover."""
