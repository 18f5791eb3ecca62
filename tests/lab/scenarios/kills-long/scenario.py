"""Scenario `kills`, with 100 of them."""

from itertools import cycle, islice

from lab import load


def prepare():
    load("kills").prepare()


def scenario(lab):
    kills = load("kills")
    kills.scenario(lab, tuple(islice(cycle(kills.STEPS + kills.MORE), 100)), tuple(kills.REFUSED + kills.MORE_REFUSED))
