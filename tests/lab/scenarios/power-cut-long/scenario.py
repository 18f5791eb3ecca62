"""Scenario `power-cut`, with as many as the file `power-cuts` says."""

from lab import load


def scenario(lab):
    load("power-cut").scenario(lab)
