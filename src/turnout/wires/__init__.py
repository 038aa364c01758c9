"""Other protocols for the same request: Anthropic's Messages and OpenAI's Responses, to and from chat completions."""
