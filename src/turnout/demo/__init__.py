"""The demo: checkable tasks, two loopback providers that really solve them, an app with Turnout, and a summary."""
