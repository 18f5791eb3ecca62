"""A home agent 150 ms there and back: charon looks for vanished addresses 100 ms after a link died, long before the
Acknowledgement of a hard move can be here, and must find its endpoint on the new address by then, or it closes the IKE_SA,
which is not where it was established any more: still not one IKE packet. What is under way in the tunnel when the node comes
home arrives."""

import moves
import kernel
from lab import run


def scenario(lab):
    for namespace, interface in (("core", "r1"), ("core", "r2"), ("ar1", "wan"), ("ar2", "wan")):
        run("tc", "-n", namespace, "qdisc", "add", "dev", interface, "root", "netem", "delay", "75ms", "limit", "20000")
    lab.down = "w1"
    kernel.set_link("mn", lab.down, False)
    moves.whole(lab, agree=True, count=7, first="w2", order=["soft", "hard", "soft", "hard", "soft", "home", "away"])
