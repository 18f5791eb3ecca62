"""Links that are up and lead nowhere, each left for another one, with its reason, and used again when it has healed: a router
that advertises the home prefix and is not the home link's, one behind which the home agent is not reached, one that is mute;
routers are asked for where the node has none. Payload is under ESP, and nowhere else."""

import signal
import time
from pathlib import Path

import attack
import common
import leftovers
import streams
import topology
import wire
from lab import CORRESPONDENT, HOME_ADDRESS, HOME_AGENT, ask, inside, run, RUN, wait_for

HOME_LINK = "2001:db8:1::/64"
W2 = "2001:db8:a2::/64"
ROUTER_SOLICITATION, NEIGHBOUR_ADVERTISEMENT = 133, 136
PREFERRED = "preferred interface w1"


def scenario(lab):
    lab.agent_extra = "protect = payload"
    common.charons(lab, "ha", "mn")
    lab.before = {n: leftovers.snapshot(n, lab.vici_socket(n)) for n in ("mn", "ha")}
    lab.agent()
    lab.node("mn", "protect = payload")
    if not lab.check("the node registers on the preferred link", uses(lab, "w1", PREFERRED, 40), lab.status()):
        return
    lab.start("ping", "mn", "ping", "-n", "-q", "-i", "0.1", "-I", HOME_ADDRESS, CORRESPONDENT)
    rogue(lab)
    captive(lab)
    mute(lab)
    lab.stop("ping", signal.SIGINT)
    common.stop_and_compare(lab)


def uses(lab, interface, reason, timeout=12):
    """The address of this interface, once it is registered for that reason."""
    def there():
        at, attachment = lab.registered_at(), lab.status().get("attachment") or {}
        return at if at and at == lab.care_of("mn", interface) and attachment.get("reason") == reason else None
    return wait_for(there, timeout, 0.05)


def check_uses(lab, what, interface, reason, timeout=12):
    there = uses(lab, interface, reason, timeout)
    lab.check(f"{what}: registered on {interface}, {reason}, reachable", there and lab.ping("cn", HOME_ADDRESS) > 0,
              (there, lab.status()))


def rogue(lab):
    """w2's router claims that this is the home link: the node asks the home agent, and nothing else leaves there."""
    seen = lab.capture("rogue", "ar2", "acc", "ip6")
    wait_for(seen.exists, 5)
    unreached("ar2", "add")
    topology.advertise_otherwise("ar2", "acc", HOME_LINK)
    asked = wait_for(lambda: (lab.status().get("attachment") or {}).get("care_of") == HOME_ADDRESS, 15)
    lab.check("a link with the home prefix is taken for the home link, until registration decides", asked, lab.status())
    check_uses(lab, "and is left when the home agent does not answer there", "w1",
               "the home link w2 does not lead to the home agent")
    common.link("w2", "down")
    unreached("ar2", "del")
    topology.advertise_otherwise("ar2", "acc", W2)
    common.link("w2", "up")
    check_uses(lab, "without it", "w1", PREFERRED)
    time.sleep(1.3)  # tcpdump gets what is in the kernel's ring once a second
    lab.stop("tcpdump.rogue", signal.SIGINT)
    frames = [(wire.parse(when, "ar2", data), data) for when, data in wire.records(seen)]
    ours = [(packet, data) for packet, data in frames if packet and packet.source == HOME_ADDRESS]
    lab.check("the home agent was asked there, under ESP", [p for p, _ in ours if p.protocol == wire.ESP and
                                                            p.destination == HOME_AGENT and not p.option])
    clear = [p for p, data in ours if p.protocol != wire.ESP and data[54] != NEIGHBOUR_ADVERTISEMENT]
    lab.check("a router that claims to be home's gets no payload in the clear", not clear, clear[:3])
    told = [data for p, data in ours if p.destination == "ff02::1"]
    lab.check("the home address is not announced there", not told, told[:1])


def unreached(namespace, command):
    """Behind this access router the home link is a black hole, or no longer."""
    run("ip", "-n", namespace, "-6", "route", command, "blackhole", HOME_LINK)


def captive(lab):
    """A router that is as sound as any; the home agent is not reached by it."""
    unreached("ar1", "add")
    ask(RUN / "mn.control", "refresh")
    check_uses(lab, "no way to the home agent", "w2", "w1 does not lead to the home agent")
    there = lab.care_of("mn", "w2")
    lab.check("new connections to the home agent, beside the tunnel, go by the other link too",
              wait_for(lambda: streams.source("mn", HOME_AGENT) == there, 2), (streams.source("mn", HOME_AGENT), there))
    common.check_events(lab, "the home agent does not answer")
    unreached("ar1", "del")
    check_uses(lab, "it has healed, and is tried again by itself", "w1", PREFERRED, 40)


def solicitations(tap, count, timeout=30):
    """When as many Router Solicitations of the node came, or those that came in time."""
    found = []
    for arrived, _ in tap.frames(timeout, lambda f: f[20] == 58 and f[54] == ROUTER_SOLICITATION):
        found += [time.monotonic()] if arrived else []
        if len(found) == count:
            break
    return found


def mute(lab):
    """The access router is dead, the link to it is up. The kernel asks for no router by itself here: we do. A router that was
    heard counts as reachable for half a minute by default, which nobody waits for here."""
    inside("mn", lambda: [Path("/proc/sys/net/ipv6", name).write_text(value, encoding="ascii") for name, value in (
        ("conf/w1/router_solicitations", "0"), ("neigh/w1/base_reachable_time_ms", "1000"),
        ("neigh/w1/delay_first_probe_time", "1"))])
    tap = attack.Tap("ar1", "acc")
    inside("ar1", lambda: run("tc", "qdisc", "add", "dev", "acc", "root", "netem", "loss", "100%"))
    check_uses(lab, "a dead router", "w2", "the router of w1 does not answer", 30)
    lab.check("the dead router is asked for again and again", len(solicitations(tap, 2)) == 2)
    common.link("w1", "down")
    uses(lab, "w2", "only usable address")
    list(tap.frames(0.05))
    up = time.monotonic()
    common.link("w1", "up")
    asked = solicitations(tap, 2)
    lab.check("a link that came up without a router is asked at once, and again some seconds later",
              len(asked) == 2 and 2 * (asked[0] - up) < asked[1] - asked[0], (up, asked))
    inside("ar1", lambda: run("tc", "qdisc", "del", "dev", "acc", "root"))
    check_uses(lab, "the router is back", "w1", PREFERRED)
