"""OpenAI's chat-completions objects: requests, messages, answers and their chunks. Values and pure functions."""
