"""Where the parts of a Turnout are built of its settings. `build` is the one place that does it all."""
