"""Another scenario as a module: for its helpers, or to run it with other figures (scenarios NAME-long)."""

from lab import load


def of(name):
    return load(name)
