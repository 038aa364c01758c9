"""The way out to the models: the litellm plug, retries, failover."""
