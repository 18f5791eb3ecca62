"""Scenario `power-cut`, with as many as the file `power-cuts` says."""

import another


def scenario(lab):
    another.of("power-cut").scenario(lab)
