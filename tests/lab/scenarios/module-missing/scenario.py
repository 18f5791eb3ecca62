"""The kernel has no mip6 module: node and home agent say so; the node recovers by itself when it is loaded."""

import os

import common
from lab import RUN, load, run

trouble = load("trouble")

# Nothing but the lab can load a module in there.
MODPROBE = ("modprobe", "-d", os.environ["LAB_MODULES"], "-S", os.environ["LAB_KERNEL"])


def scenario(lab):
    common.charons(lab, "mn", "ha")
    run(*MODPROBE, "-r", "mip6")
    lab.agent()
    lab.node("mn")
    trouble.named(lab, "care-of address states", "kernel module missing")
    lab.check("the remedy names the module", "mip6" in lab.trouble("mn")[1], lab.trouble("mn"))
    if not lab.alive("ha"):
        log = (RUN / "ha.log").read_text(encoding="utf-8")
        lab.check("the home agent without the module says so and ends", "mip6" in log, log)
    lab.stop("ha")
    run(*MODPROBE, "mip6")
    lab.agent()
    trouble.recovers(lab, "module loaded", 60)
