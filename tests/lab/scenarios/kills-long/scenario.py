"""Scenario `kills`, with 100 of them."""

from lab import load


def scenario(lab):
    load("kills").scenario(lab, count=100)
