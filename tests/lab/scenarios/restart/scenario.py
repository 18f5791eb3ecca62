"""SIGKILL and restart of node, home agent and charon: registered again, nothing doubled; SIGTERM leaves nothing."""

import re
import signal

import common
import leftovers
from lab import HOME_ADDRESS, RUN, vici, wait_for


def ours(lab, namespace):
    """What is there of ours, without numbers that are others each time: SPIs, counters, those in connections' names."""
    lines = leftovers.snapshot(namespace, lab.vici_socket(namespace))
    lines = [re.sub(r" proto esp spi.*| anti-replay context.*| lastused.*", "", line) for line in lines
             if not line.startswith("sysctl")]
    return sorted(re.sub(r"-\d+( ESTABLISHED|$)| index \d+", r"\1", line) for line in lines)


def same_as_before(lab, namespace, before, what):
    now = []

    def equal():
        now[:] = ours(lab, namespace)
        return now == before
    wait_for(equal, 10, 0.5)
    lab.check(f"{what}: nothing is doubled or missing in {namespace}", now == before,
              f"more: {leftovers.difference(before, now)}, fewer: {leftovers.difference(now, before)}")


def scenario(lab):
    if not common.begin(lab, capture=False):
        return
    at = lab.registered_at("mn")
    before = {n: ours(lab, n) for n in ("mn", "ha")}

    lab.stop("mnd.mn", signal.SIGKILL)
    lab.check("a killed node keeps its home address reachable", lab.ping("cn", HOME_ADDRESS) >= 2)
    sequence = start_node(lab, at, "after SIGKILL of the node")
    same_as_before(lab, "mn", before["mn"], "after SIGKILL of the node")
    same_as_before(lab, "ha", before["ha"], "after SIGKILL of the node")

    told = keys_found()
    lab.stop("ha", signal.SIGKILL)
    lab.agent()
    lab.check("after SIGKILL of the home agent it finds the keys that there are", wait_for(lambda: keys_found() > told, 20))
    lab.check("after SIGKILL of the home agent the home address is reachable",
              wait_for(lambda: lab.ping("cn", HOME_ADDRESS) >= 2, 10))
    same_as_before(lab, "ha", before["ha"], "after SIGKILL of the home agent")
    at = common.move_to(lab, "w1", "down", "w2")
    lab.check("and the next move is registered", at, lab.status("mn"))
    lab.check("with a later sequence number", 0 < (lab.status("mn")["sequence"] - sequence) % 65536 < 32768)

    lab.stop("mnd.mn", signal.SIGKILL)
    lab.stop("ha", signal.SIGKILL)
    lab.agent()
    start_node(lab, at, "after SIGKILL of both")
    lab.check("after SIGKILL of both the home address is reachable",
              wait_for(lambda: lab.ping("cn", HOME_ADDRESS) >= 2, 5))

    at = common.move_to(lab, "w1", "up", "w1")
    lab.stop("charon.mn", signal.SIGKILL)
    lab.charon("mn")
    one = wait_for(lambda: len(vici.ike_sas(lab.vici_socket("mn"))) == 1 and lab.registered_at("mn"), 20, 0.3)
    lab.check("after SIGKILL of the node's charon keys are there again", one, lab.status("mn"))
    same_as_before(lab, "mn", before["mn"], "after SIGKILL of the node's charon")

    # A node killed away and started at home finds its tunnel and takes it down.
    lab.stop("mnd.mn", signal.SIGKILL)
    common.link("wh", "up")
    wait_for(lambda: lab.care_of("mn", "wh"), 6)
    start_node(lab, HOME_ADDRESS, "killed away, started at home")
    lab.check("at home the home address is reachable", wait_for(lambda: lab.ping("cn", HOME_ADDRESS) >= 2, 5))
    common.stop_and_compare(lab)


def keys_found():
    """How often the home agent has said so."""
    return (RUN / "ha.log").read_text(encoding="utf-8").count("keys up")


def start_node(lab, at, what):
    lab.node("mn")
    lab.check(f"{what} it is registered again", lab.wait_registered("mn", at, 15) == at, lab.status("mn"))
    return lab.status("mn").get("sequence") or 0
