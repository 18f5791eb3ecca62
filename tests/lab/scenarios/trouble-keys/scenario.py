"""Trouble at the start: charon hanging, its socket not permitted, home agent that cannot be reached or does not have the
address. Status and events name each with its remedy, and the daemon recovers by itself."""

import os
import signal

import common
import lab as the_lab
from lab import NODES, RUN, load, run

trouble = load("trouble")


def scenario(lab):
    common.charons(lab, "mn", "ha")
    agent_with(lab, {"home_address": "2001:db8:1::99"})
    lab.processes["charon.mn"].send_signal(signal.SIGSTOP)
    lab.node("mn")
    trouble.named(lab, "charon", "charon hanging at the start")
    lab.processes["charon.mn"].send_signal(signal.SIGCONT)
    trouble.named(lab, r"does not have home address.*\(charon: received TS_UNACCEPTABLE", "home agent without the address", 60)
    agent_with(lab, {})
    trouble.recovers(lab, "the address right", 90)
    common.check_events(lab, "charon does not answer", "restart strongSwan", "TS_UNACCEPTABLE",
                        "check home-address here, and the node's entry at the home agent", "IKE established from")
    lab.stop("mnd.mn")

    run("ip", "-n", "ha", "link", "set", "wan", "down")
    lab.node("mn")
    trouble.named(lab, "answer|reach", "home agent that cannot be reached", 30)
    run("ip", "-n", "ha", "link", "set", "wan", "up")
    run("ip", "-n", "ha", "addr", "replace", "2001:db8:f3::2/64", "dev", "wan", "nodad")
    run("ip", "-n", "ha", "route", "replace", "default", "via", "2001:db8:f3::1")
    trouble.recovers(lab, "home agent reached again", 90)
    lab.stop("mnd.mn")
    not_permitted(lab)


def agent_with(lab, wrong):
    """The home agent anew, with something else than right for the node."""
    lab.stop("ha")
    right = dict(NODES["mn"])
    NODES["mn"].update(wrong)
    try:
        lab.agent()
    finally:
        NODES["mn"].update(right)
    common.agent_ready(lab)


def not_permitted(lab):
    """As a user with the network capabilities, but no access to charon's socket."""
    socket = lab.vici_socket("mn")
    socket.chmod(0o600)
    for path in (RUN / "mn.state", RUN / "mn.secret", RUN):
        os.chown(path, 65534, 65534)
    for path in (RUN / "mn.state").iterdir():
        os.chown(path, 65534, 65534)
    capabilities = "+net_admin,+net_raw"
    program = the_lab.program("mnd")
    lab.start("mnd.mn", "mn", "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", f"--inh-caps={capabilities}",
              f"--ambient-caps={capabilities}", program, "--config", str(RUN / "mn.conf"))
    trouble.named(lab, "permi|access", "charon's socket not permitted")
    socket.chmod(0o666)
    trouble.recovers(lab, "socket permitted", 60)
    lab.stop("mnd.mn", signal.SIGTERM)
