"""Scenario `charon`, with charon hung for a minute."""

import another


def scenario(lab):
    another.of("charon").scenario(lab, hung=60, patient=True)
