"""Scenario `fifty-nodes`, with 75 kills and as many power cuts as the file `power-cuts` says."""

from lab import load


def prepare():
    load("fifty-nodes").prepare()


def scenario(lab):
    load("fifty-nodes").scenario(lab, kills=75)
