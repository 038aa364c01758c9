"""Works on accepted jobs: claims them in their fair order, hands each to a callable, notifies by webhook."""
