"""A home agent 150 ms away: charon looks for vanished addresses 100 ms after a link died, long before the Acknowledgement
of a hard move can be here, and must find its endpoint on the new address by then, or it closes the IKE_SA, which is not
where it was established any more: still not one IKE packet."""

import moves
import kernel
from lab import run


def scenario(lab):
    for interface in ("r1", "r2"):
        run("tc", "-n", "core", "qdisc", "add", "dev", interface, "root", "netem", "delay", "150ms", "limit", "20000")
    lab.down = "w1"
    kernel.set_link("mn", lab.down, False)
    moves.whole(lab, agree=True, count=7, first="w2", order=["soft", "hard", "soft", "hard", "soft", "home", "away"])
