"""Scenario `fifty-nodes`, with 75 kills and as many power cuts as the file `power-cuts` says."""

import another


def prepare():
    another.of("fifty-nodes").prepare()


def scenario(lab):
    another.of("fifty-nodes").scenario(lab, kills=75)
