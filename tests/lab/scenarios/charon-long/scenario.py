"""Scenario `charon`, with charon hung for a minute."""

import longer


def scenario(lab):
    longer.of("charon").scenario(lab, hung=60, patient=True)
