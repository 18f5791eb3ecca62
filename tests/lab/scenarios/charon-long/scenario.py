"""Scenario `charon`, with charon hung for a minute."""

from lab import load


def scenario(lab):
    load("charon").scenario(lab, hung=60, patient=True)
