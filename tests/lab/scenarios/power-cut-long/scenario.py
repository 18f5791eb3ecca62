"""Scenario `power-cut`, with as many as the file `power-cuts` says."""

import longer


def scenario(lab):
    longer.of("power-cut").scenario(lab)
