"""Trouble with the peer and with charon: status names it and its remedy, the daemon goes on and recovers by itself;
charon hanging delays no Binding Update; malformed messages are counted."""

import re
import signal
import time

import common
import wire
from lab import CORRESPONDENT, HOME_ADDRESS, HOME_AGENT, wait_for
from spoof import forged


def named(lab, pattern, what, timeout=20, namespace="mn"):
    """`mip6ctl status` names the trouble, with a remedy, as text and as JSON; an event has told the same."""
    def found():
        told, remedy = lab.trouble(namespace)
        return re.search(pattern, told, re.IGNORECASE) and remedy
    ok = wait_for(found, timeout, 0.1)
    told, remedy = lab.trouble(namespace)
    event = common.event_of(lab, told, namespace)
    text = lab.status_text(namespace)
    lab.check(f"{what}: status names it and its remedy", ok and " ".join(remedy.split()) in " ".join(text.split()),
              f"'{told}' remedy '{remedy}' text '{text}'")
    lab.check(f"{what}: an event tells both", ok and event.get("remedy") == remedy, f"'{told}' remedy '{remedy}' event {event}")


def recovers(lab, what, timeout=40):
    ok = wait_for(lambda: lab.registered_at("mn") and not lab.trouble("mn")[0], timeout, 0.1)
    lab.check(f"{what}: the node recovers by itself", ok, lab.status("mn"))


def scenario(lab):
    lab.captures = lab.capture_all()
    common.charons(lab, "ha")
    lab.agent()
    lab.node("mn")
    named(lab, "charon", "charon not running")
    lab.charon("mn")
    recovers(lab, "charon started")
    malformed(lab)
    hanging(lab)
    silent(lab)
    lab.check("node and home agent are still the processes they were", lab.alive("mnd.mn") and lab.alive("ha"))
    lab.stop_captures()
    packets = wire.packets(lab.captures)
    begin, at = lab.hang
    updates = [p.time for p in packets
               if p.time >= begin and p.source == at and wire.is_update(p, HOME_ADDRESS, HOME_AGENT)]
    events = [c.time for c in wire.changes(lab.netlink) if c.kind == wire.DELADDR and c.time >= begin]
    delay = (updates[0] - events[0]) * 1000 if updates and events else None
    lab.check("charon hanging does not delay the Binding Update", delay is not None and delay < 50, f"{delay} ms")


def malformed(lab):
    """Messages with an option that is longer than they are, to the node and to the home agent."""
    before = lab.status("mn")["counters"]["malformed"]
    settings = {"source": CORRESPONDENT, "home_address": HOME_ADDRESS, "agent": HOME_AGENT, "sequence": 1, "count": 3}
    forged("cn", "malformed", care_of=HOME_ADDRESS, **settings)
    forged("cn", "malformed-update", care_of=HOME_AGENT, **settings)
    counted = wait_for(lambda: lab.status("mn")["counters"]["malformed"] >= before + 3, 3)
    lab.check("malformed messages are counted and dropped", counted, lab.status("mn"))


def hanging(lab):
    lab.processes["charon.mn"].send_signal(signal.SIGSTOP)
    lab.hang = (time.time(), lab.care_of("mn", "w2"))
    at = common.move_to(lab, "w1", "down", "w2")
    lab.check("with charon hanging the node registers where it is", at, lab.status("mn"))
    named(lab, "charon", "charon hanging", 15)
    lab.processes["charon.mn"].send_signal(signal.SIGCONT)
    recovers(lab, "charon goes on")
    followed = wait_for(lambda: lab.ike_endpoints()[:2] == ([at], [at]), 20, 0.5)
    lab.check("then both charons' IKE endpoint is the care-of address", followed, lab.ike_endpoints())


def silent(lab):
    """The home agent's daemon hangs: updates are not answered, though its charon is well."""
    lab.processes["ha"].send_signal(signal.SIGSTOP)
    common.link("w1", "up")
    named(lab, "answer", "home agent silent")
    lab.processes["ha"].send_signal(signal.SIGCONT)
    recovers(lab, "home agent answers again")
