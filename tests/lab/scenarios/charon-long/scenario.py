"""Scenario `charon`, with charon hung for a minute, and for another one where K is refused."""

import signal

import ordering
from lab import load


def scenario(lab):
    charon, refused = load("charon"), load("k-refused")
    charon.scenario(lab, hung=60, patient=True)
    lab.stop("ha", signal.SIGKILL)
    lab.agent(key_mobility=False)
    lab.check("from now on the home agent refuses K, and the node knows",
              ordering.ready(lab) and ordering.refresh() and ordering.node().get("key_mobility") is False, ordering.node())
    refused.charon_hangs(lab, "up", "w1", 60)
