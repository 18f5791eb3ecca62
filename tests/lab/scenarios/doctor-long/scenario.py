"""Scenario `doctor`, with a packet filter that drops what leaves, too."""

from lab import load


def scenario(lab):
    load("doctor").scenario(lab, more=True)
