"""Scenario `bad-input`, with a million updates from forged sources."""

import another


def prepare():
    another.of("bad-input").prepare()


def scenario(lab):
    another.of("bad-input").scenario(lab, forged=1_000_000, half_open=20_000)
