"""Mobile prefix discovery: solicitation and advertisement under an ESP SA of their own, both ways; in the clear refused
on both sides; status 1 brings a solicitation; a move with K keeps both CHILD_SAs, and the second one's re-key works. The
home link is renumbered: the binding is cut to what is left of the old prefix, an address in the new one is not used, and
the user is told what to do; with the node's section edited at both ends it is served in the new prefix."""

import signal
import subprocess
import time

import common
import kernel
import leftovers
import ordering
import rekey
import spoof
import vici
import wire
from lab import HOME_ADDRESS, HOME_AGENT, NODES, RUN, ask, inside, program, wait_for

SOLICITATION, ADVERTISEMENT = 146, 147
REQID_NODE, REQID_AGENT = "6277", "827500"
REKEY = 10  # seconds, the least that mnd takes
NOBODY = "2001:db8:1::99"
NEXT_PREFIX = "2001:db8:2::/64"
NEXT_ADDRESS = "2001:db8:2::42"


def scenario(lab):
    lab.captures = {link: lab.capture(link, *where, "ip6", 320) for link, where in lab.LINKS.items()
                    if link in ("ar1", "ar2", "wan")}
    common.charons(lab, "ha", "mn")
    lab.before = {n: leftovers.snapshot(n, lab.vici_socket(n)) for n in ("mn", "ha")}
    # Shorter than the lifetime that is asked for: the acknowledgement says that prefix discovery is necessary.
    lab.agent(extra="prefix-lifetime = 300")
    begin = time.time()
    lab.node("mn")
    if not lab.check("the node registers", lab.wait_registered(timeout=40), lab.status()):
        return
    lab.check("status 1 makes it ask for the home network's prefixes, and it learns them", learned(lab, 1), events(lab))
    lab.check("both charons have the child of its own", children(lab) == (1, 1), children(lab))
    told = time.time()
    moved(lab)
    rekeyed(lab)
    moved_over(lab)
    common.stop_and_compare(lab)
    lab.stop_captures()
    on_the_wire(lab, begin, told)


def events(lab):
    result = subprocess.run([program("mip6ctl"), "--socket", f"{RUN}/mn.control", "events"], capture_output=True,
                            text=True, check=False)
    return [line for line in result.stdout.splitlines() if "prefixes" in line]


def learned(lab, times):
    """How often the node learned the home prefix, waiting for `times`."""
    def count():
        return len([line for line in events(lab) if "home network has 2001:db8:1::/64" in line]) >= times
    return wait_for(count, 30, 0.3)


def children(lab):
    """Installed CHILD_SAs of prefix discovery at node and home agent."""
    return tuple(len([c for sa in vici.ike_sas(lab.vici_socket(n)) for c in sa.get("child-sas", {}).values()
                      if c.get("reqid") == reqid and c.get("state") == "INSTALLED"])
                 for n, reqid in (("mn", REQID_NODE), ("ha", REQID_AGENT)))


def message(source, destination, kind, identifier=7):
    """A solicitation, or an advertisement of a prefix that is nobody's."""
    body = bytes([kind, 0, 0, 0]) + identifier.to_bytes(2, "big") + b"\0\0"
    if kind == ADVERTISEMENT:
        body += bytes([3, 4, 64, 0xC0]) + (3600).to_bytes(4, "big") * 2 + b"\0" * 4 + spoof.packed("2001:db8:bad::")
    value = spoof.checksum(source, destination, spoof.ICMPV6, body)
    return body[:2] + value.to_bytes(2, "big") + body[4:]


def send(namespace, packet, destination):
    inside(namespace, lambda: [spoof.send_raw(packet, destination) for _ in range(3)])
    time.sleep(0.4)


def clear(lab):
    """In the clear, with and without home address option or routing header."""
    at = lab.registered_at()
    solicitation = message(HOME_ADDRESS, HOME_AGENT, SOLICITATION)
    advertisement = message(HOME_AGENT, HOME_ADDRESS, ADVERTISEMENT)
    forms = (("a solicitation with home address option", "ha", "cn", HOME_AGENT,
              spoof.ipv6("2001:db8:f4::2", HOME_AGENT, spoof.DSTOPTS,
                         spoof.home_address_option(HOME_ADDRESS, spoof.ICMPV6) + solicitation)),
             ("a solicitation without it", "ha", "cn", HOME_AGENT,
              spoof.ipv6(HOME_ADDRESS, HOME_AGENT, spoof.ICMPV6, solicitation)),
             ("an echo with the home address option of an address that is not served", "ha", "cn", HOME_AGENT,
              spoof.ipv6("2001:db8:f4::2", HOME_AGENT, spoof.DSTOPTS,
                         spoof.home_address_option(NOBODY, spoof.ICMPV6) + spoof.echo(NOBODY, HOME_AGENT))),
             ("an advertisement with routing header", "mn", "cn", at,
              spoof.ipv6(HOME_AGENT, at, spoof.ROUTING, spoof.routing_header(HOME_ADDRESS, spoof.ICMPV6) +
                         advertisement)))
    lab.spans = []
    for what, where, origin, destination, packet in forms:
        begin, before = time.time(), sum(lab.xfrm_errors(where).values())
        answers = len(told_by_agent())
        send(origin, packet, destination)
        after = sum(lab.xfrm_errors(where).values())
        lab.spans.append((begin, time.time() + 0.1))
        lab.check(f"{what} in the clear is refused", after >= before + 3 and len(told_by_agent()) == answers,
                  f"{before} {after} {answers} {len(told_by_agent())}")


def told_by_agent():
    return [line for line in (RUN / "ha.log").read_text(encoding="utf-8", errors="replace").splitlines()
            if "told of the home prefix" in line]


def shortened(lab, lifetime, more=""):
    """The home agent is started again, and the prefix ends earlier than the node knows: its next answer has status 1."""
    lab.stop("ha", signal.SIGKILL)
    lab.agent(extra=f"prefix-lifetime = {lifetime}\n{more}")
    lab.check(f"the home agent is there again, the prefix valid for {lifetime} s", ordering.ready(lab) and wait_for(
        lambda: children(lab) == (1, 1), 10, 0.3), f"{ordering.agent()} {children(lab)}")


def moved(lab):
    shortened(lab, 200)
    at = common.move_to(lab, "w1", "down", "w2")
    followed = wait_for(lambda: lab.ike_endpoints()[:2] == ([at], [at]), 3, 0.2)
    lab.check("a move with K keeps both CHILD_SAs", at and followed and children(lab) == (1, 1) and
              len(rekey.spis(lab.vici_socket("mn"))[1]) == 2, f"{at} {lab.ike_endpoints()} {children(lab)}")
    lab.check("and the prefixes are learned again over the new link", learned(lab, 2), events(lab))


def rekeyed(lab):
    """By a process of the node that may keep keys for 10 s, for it finds older ones, the Mobility Header's first and five
    seconds later these; and again when the new ones are as old. Other checks go on beside it."""
    watch = vici.Watch(lab.vici_socket("mn"))
    lab.stop("mnd.mn", signal.SIGKILL)
    lab.node("mn", f"rekey = {REKEY}")
    lab.wait_registered(timeout=15)
    clear(lab)
    made = wait_for(lambda: vici.rekeyed(watch, "mpd"), REKEY + 5)
    lab.check("the SA of prefix discovery, older than its limit, is re-keyed in time", made, watch.events)
    shortened(lab, 120, f"next-prefix = {NEXT_PREFIX}")
    lab.check("and the prefixes are learned again under the new keys",
              ordering.refresh() and learned(lab, 1), events(lab))
    renumbered(lab)
    made = wait_for(lambda: vici.rekeyed(watch, "mpd")[1:], REKEY + 5)
    lab.check("it is re-keyed again when it is as old", made, watch.events)
    lab.check("the node asked for it each time, the home agent's charon for none", common.charon_said(
        "mn", "vici rekey CHILD_SA 'mpd'") == 2 and not common.charon_said("ha", "generating CREATE_CHILD_SA request"), made)


def renumbered(lab):
    """The last start of the home agent has begun it."""
    told = wait_for(lambda: [line for line in events(lab) if f"home network has {NEXT_PREFIX}" in line], 30, 0.3)
    lab.check("the node hears of the new prefix, and has no key for an address in it", told and
              all("no key for a home address in it, so it is not used" in line for line in told), events(lab))
    what, remedy = lab.trouble()
    lab.check("its user is told what to do", NEXT_PREFIX in what and HOME_ADDRESS in what and "mnd.conf" in remedy,
              f"{what} {remedy}")
    lab.check("no address of the new prefix is on the node", not any(
        address.local.startswith(NEXT_PREFIX.split("::", maxsplit=1)[0] + ":") for interface in ("mip6", "w1", "w2", "wh")
        for address in kernel.addresses("mn", interface)))
    left = lab.status().get("expires_in_s") or 0
    lab.check("the binding is cut to what is left of the old prefix", 0 < left <= 120 and lab.registered_at(), lab.status())


def moved_over(lab):
    """To the new prefix, while the home agent has its own address in the old one and goes on running."""
    stopped = lab.stop("mnd.mn")
    config, name = RUN / "ha.conf", NODES["mn"]["name"]
    former = config.read_text(encoding="utf-8")
    edited = former.replace(f"home-address = {HOME_ADDRESS}\n", f"home-address = {NEXT_ADDRESS}\n")
    config.write_text(edited.replace("prefix-lifetime = 120", "prefix-lifetime = 600"), encoding="utf-8")
    said = ask(RUN / "ha.control", "reload")
    lab.check("reload takes the node's address in the new prefix, and the old one's lifetime", stopped == 0 and
              "prefix-lifetime = 120" in former and said.get("added") == said.get("removed") == {"count": 1, "names": [name]}
              and said.get("restart") == said.get("failed") == [], f"{stopped} {said}")

    def left():
        return [line for line in leftovers.snapshot("ha", lab.vici_socket("ha")) if HOME_ADDRESS in line]
    lab.check("of the old address nothing is left there", wait_for(lambda: not left(), 3, 0.3), left())
    lab.node("mn", "home-agent-prefix = 2001:db8:1::/64", {"home_address": NEXT_ADDRESS})
    at = lab.wait_registered(timeout=40)
    held = [one for one in lab.agent_status().get("bindings", []) if one["name"] == name]
    lab.check("the node registers with its address in the new prefix", at and [(one["home_address"], one["care_of"])
              for one in held] == [(NEXT_ADDRESS, at)], f"{held} {lab.status()}")
    answered = lab.ping("ha", NEXT_ADDRESS, source=HOME_AGENT)
    lab.check("and is reached at it", answered == 3, answered)


def on_the_wire(lab, begin, told):
    packets = wire.packets(lab.captures)
    own = [p for p in packets if p.link == "ar1" and begin <= p.time <= told and p.protocol == wire.ESP]
    spis = {direction: {p.spi for p in own if way(p)} for direction, way in (
        ("to the agent", lambda p: p.option == HOME_ADDRESS and p.destination == HOME_AGENT),
        ("to the node", lambda p: p.routing == HOME_ADDRESS and p.source == HOME_AGENT))}
    lab.check("on the wire two SAs each way, with home address option and routing header",
              all(len(found) == 2 for found in spis.values()), spis)
    icmp = [p for p in packets if p.protocol == 58 and p.source != p.destination and
            (p.option == HOME_ADDRESS or p.routing == HOME_ADDRESS or
             {p.source, p.destination} == {HOME_ADDRESS, HOME_AGENT}) and
            not any(a <= p.time <= b for a, b in lab.spans)]
    lab.check("nothing of it was in the clear but what the lab forged", not icmp, icmp[:3])
