"""Links that are up and lead nowhere: a router that advertises the home prefix and is not the home link's."""

import signal
import time

import common
import leftovers
import topology
import wire
from lab import CORRESPONDENT, HOME_ADDRESS, HOME_AGENT, wait_for

HOME_LINK = "2001:db8:1::/64"
W2 = "2001:db8:a2::/64"
NEIGHBOUR_ADVERTISEMENT = 136


def scenario(lab):
    lab.agent_extra = "protect = payload"
    common.charons(lab, "ha", "mn")
    lab.before = {n: leftovers.snapshot(n, lab.vici_socket(n)) for n in ("mn", "ha")}
    lab.agent()
    lab.node("mn", "protect = payload")
    at = lab.wait_registered("mn", lab.care_of("mn", "w1"), timeout=40)
    if not lab.check("the node registers on the preferred link", at, lab.status()):
        return
    lab.start("ping", "mn", "ping", "-n", "-q", "-i", "0.1", "-I", HOME_ADDRESS, CORRESPONDENT)
    rogue(lab)
    lab.stop("ping", signal.SIGINT)
    common.stop_and_compare(lab)


def rogue(lab):
    """w2's router claims that this is the home link: the node asks the home agent, and nothing else leaves there."""
    seen = lab.capture("rogue", "ar2", "acc", "ip6")
    wait_for(seen.exists, 5)
    topology.advertise_otherwise("ar2", "acc", HOME_LINK)
    asked = wait_for(lambda: (lab.status().get("attachment") or {}).get("care_of") == HOME_ADDRESS, 15)
    lab.check("a link with the home prefix is taken for the home link, until registration decides", asked, lab.status())
    time.sleep(3)
    common.link("w2", "down")
    topology.advertise_otherwise("ar2", "acc", W2)
    common.link("w2", "up")
    lab.check("without it the node is registered on w1 again", lab.wait_registered("mn", lab.care_of("mn", "w1")))
    time.sleep(1.3)
    lab.stop("tcpdump.rogue", signal.SIGINT)
    packets = [(wire.parse(t, "ar2", data), data) for t, data in wire.records(seen)]
    ours = [(p, data) for p, data in packets if p and p.source == HOME_ADDRESS]
    lab.check("the home agent is asked there, under ESP", [p for p, _ in ours if p.protocol == wire.ESP and
                                                           p.destination == HOME_AGENT and not p.option])
    clear = [p for p, data in ours if p.protocol != wire.ESP and data[54] != NEIGHBOUR_ADVERTISEMENT]
    lab.check("a router that claims to be home's gets no payload in the clear", not clear, clear[:3])
    told = [data for p, data in ours if p.destination == "ff02::1"]
    lab.check("the home address is not announced there", not told, told[:1])
