"""Scenario `kills`, with 100 of them."""

import another


def scenario(lab):
    another.of("kills").scenario(lab, count=100)
