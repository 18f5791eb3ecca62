"""Scenario `bad-input`, with a million updates from forged sources and twenty thousand half-open IKE_SAs."""

from lab import load


def prepare():
    load("bad-input").prepare()


def scenario(lab):
    load("bad-input").scenario(lab, forged=1_000_000, half_open=20_000)
