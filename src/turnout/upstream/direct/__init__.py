"""litellm's provider classes over one warm HTTP session: the direct way to a provider."""
