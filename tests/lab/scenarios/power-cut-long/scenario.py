"""Scenario `power-cut`, with as many as the file `power-cuts` says."""

from lab import load


def prepare():
    load("power-cut").prepare()


def scenario(lab):
    load("power-cut").scenario(lab)
