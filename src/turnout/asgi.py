"""The ASGI door's public name: `app.add_middleware(TurnoutMiddleware, config="turnout.toml")`."""

from turnout.doors.asgi import TurnoutMiddleware

__all__ = ["TurnoutMiddleware"]
