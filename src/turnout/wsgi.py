"""The WSGI door's public name: `app.wsgi_app = TurnoutMiddleware(app.wsgi_app, config="turnout.toml")`."""

from turnout.doors.wsgi import TurnoutMiddleware

__all__ = ["TurnoutMiddleware"]
