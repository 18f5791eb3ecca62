"""Scenario `kills`, with 100 of them."""

import longer


def scenario(lab):
    longer.of("kills").scenario(lab, count=100)
