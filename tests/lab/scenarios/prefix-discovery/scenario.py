"""Mobile prefix discovery: solicitation and advertisement under an ESP SA of their own, both ways; in the clear refused
on both sides; status 1 brings a solicitation, and so does an advertisement that nobody asked for; a move with K keeps
both CHILD_SAs, one without makes both anew, and the second one's re-key works. The home link is renumbered: the binding
is cut to what is left of the old prefix, an address in the new one is not used by the node and not bound for who has no
security association for it, and the user is told what to do; with the node's section edited at both ends it is served in
the new prefix. The home agent is found by the anycast address of that one, too."""

import re
import signal
import time

import attack
import common
import kernel
import leftovers
import ordering
import rekey
import second_agent
import spoof
import vici
import wire
from lab import CORRESPONDENT, HOME_ADDRESS, HOME_AGENT, NODES, REQID_NODE, RUN, ask, inside, wait_for

SOLICITATION, ADVERTISEMENT = 146, 147
REQIDS = {"mn": "6277", "ha": "827500"}
REKEY = 10  # seconds, the least that mnd takes
NOBODY = "2001:db8:1::99"
NEXT_PREFIX = "2001:db8:2::/64"
NEXT_ADDRESS = "2001:db8:2::42"
NEXT_ANYCAST = "2001:db8:2:0:fdff:ffff:ffff:fffe"
FALSE_PREFIX = "2001:db8:bad::"


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
    lab.check("status 1 makes it ask for the home network's prefixes, and it learns them",
              learned(lab, 300), events(lab))
    lab.check("both charons have the child of its own", children(lab) == (1, 1), children(lab))
    told = time.time()
    moved(lab)
    discovered(lab)
    rekeyed(lab)
    moved_without_key_mobility(lab)
    moved_over(lab)
    common.stop_and_compare(lab)
    lab.stop_captures()
    on_the_wire(lab, begin, told)


def events(lab):
    return [e["text"] for e in lab.status("mn", "events").get("events", []) if e["kind"] == "prefixes"]


def learned(lab, lifetime):
    """Whether the node has learned the home prefix since it is valid for `lifetime` at most: less with each start of the home
    agent."""
    def told():
        valid = [re.search(r"home network has 2001:db8:1::/64, valid for (\d+) s", line) for line in events(lab)]
        return any(found and int(found[1]) <= lifetime for found in valid)
    return wait_for(told, 30, 0.1)


def children(lab):
    """Installed CHILD_SAs of prefix discovery at node and home agent."""
    return tuple(len([c for sa in vici.ike_sas(lab.vici_socket(n)) for c in sa.get("child-sas", {}).values()
                      if c.get("reqid") == reqid and c.get("state") == "INSTALLED"])
                 for n, reqid in REQIDS.items())


def message(source, destination, kind, identifier=7):
    """A solicitation, or an advertisement of a prefix that is nobody's."""
    body = bytes([kind, 0, 0, 0]) + identifier.to_bytes(2, "big") + b"\0\0"
    if kind == ADVERTISEMENT:
        body += bytes([3, 4, 64, 0xC0]) + (3600).to_bytes(4, "big") * 2 + b"\0" * 4 + spoof.packed(FALSE_PREFIX)
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
    forms = (("a solicitation with home address option", "ha", "XfrmInTmplMismatch", HOME_AGENT,
              attack.under_option(CORRESPONDENT, HOME_AGENT, HOME_ADDRESS, spoof.ICMPV6, solicitation)),
             ("a solicitation without it", "ha", "XfrmInTmplMismatch", HOME_AGENT,
              spoof.ipv6(HOME_ADDRESS, HOME_AGENT, spoof.ICMPV6, solicitation)),
             ("an echo with the home address option of an address that is not served", "ha", "XfrmInNoPols", HOME_AGENT,
              attack.under_option(CORRESPONDENT, HOME_AGENT, NOBODY, spoof.ICMPV6, spoof.echo(NOBODY, HOME_AGENT))),
             ("an advertisement with routing header", "mn", "XfrmInTmplMismatch", at,
              spoof.ipv6(HOME_AGENT, at, spoof.ROUTING, spoof.routing_header(HOME_ADDRESS, spoof.ICMPV6) +
                         advertisement)))
    for what, where, counter, destination, packet in forms:
        begin, before = time.time(), lab.xfrm_errors(where)
        answers = len(told_by_agent())
        send("cn", packet, destination)
        after = lab.xfrm_errors(where)
        lab.spans.append((begin, time.time() + 0.1))
        lab.check(f"{what} in the clear is refused, and counted as {counter}", len(told_by_agent()) == answers and
                  after.get(counter, 0) >= before.get(counter, 0) + 3, f"{before} {after} {answers} {len(told_by_agent())}")
    lab.check("the prefix of that advertisement is none of the node's", events(lab) and
              not any(FALSE_PREFIX in line for line in events(lab)), events(lab))


def told_by_agent():
    return [line for line in (RUN / "ha.log").read_text(encoding="utf-8", errors="replace").splitlines()
            if "told of the home prefix" in line]


def shortened(lab, lifetime, key_mobility=True, extra=""):
    """The home agent is started again, and the prefix ends earlier than the node knows: its next answer has status 1."""
    lab.stop("ha", signal.SIGKILL)
    lab.agent(key_mobility, f"prefix-lifetime = {lifetime}\nnext-prefix = {NEXT_PREFIX}\n{extra}")
    lab.check(f"the home agent is there again, the prefix valid for {lifetime} s", ordering.ready(lab), ordering.agent())


def moved(lab):
    shortened(lab, 200)
    lab.check("and the child of its own is still there", wait_for(lambda: children(lab) == (1, 1), 10, 0.3), children(lab))
    at = common.move_to(lab, "w1", "down", "w2")
    followed = wait_for(lambda: lab.ike_endpoints()[:2] == ([at], [at]), 3, 0.2)
    lab.check("a move with K keeps both CHILD_SAs", at and followed and children(lab) == (1, 1) and
              len(rekey.spis(lab.vici_socket("mn"))[1]) == 2, f"{at} {lab.ike_endpoints()} {children(lab)}")
    lab.check("and the prefixes are learned again over the new link", learned(lab, 200), events(lab))


def discovered(lab):
    second_agent.route_home_prefix(second_agent.WAN_OF_FIRST, NEXT_PREFIX)
    replies = second_agent.discover(anycast=NEXT_ANYCAST)
    lab.check("who asks the anycast address of the next prefix is told of the home agent, too", replies == [[HOME_AGENT]],
              (replies, lab.agent_status().get("home_agents")))


def rekeyed(lab):
    """By a process of the node that may keep keys for 10 s, for it finds older ones, the Mobility Header's first and five
    seconds later these. Other checks go on beside it."""
    watch = vici.Watch(lab.vici_socket("mn"))
    lab.stop("mnd.mn", signal.SIGKILL)
    lab.node("mn", f"rekey = {REKEY}")
    lab.wait_registered(timeout=15)
    renumbered(lab)
    under_the_new_prefix(lab)
    clear(lab)
    made = wait_for(lambda: vici.rekeyed(watch, "mpd"), REKEY + 5)
    lab.check("the SA of prefix discovery, older than its limit, is re-keyed in time", made, watch.events)
    lab.check("the node asked for it, the home agent's charon for none",
              not common.charon_said("ha", "generating CREATE_CHILD_SA request") and
              common.charon_said("mn", "vici rekey CHILD_SA 'mpd'") >= len(made), made)
    told_unasked(lab, 120)
    lab.check("and the prefixes are learned again under the new keys", ordering.refresh() and learned(lab, 120), events(lab))


def told_unasked(lab, lifetime):
    """A home agent with another lifetime, and a node that has no reason to ask: it is told, and asks then."""
    sent, told = lab.status()["counters"]["updates_sent"], len(told_by_agent())
    shortened(lab, lifetime, key_mobility=False, extra="min-prefix-interval = 4\nmax-prefix-interval = 5")
    lab.check("a node that sends no update is told unasked, and learns the prefixes by asking then",
              learned(lab, lifetime) and len(told_by_agent()) >= told + 2 and
              lab.status()["counters"]["updates_sent"] == sent,
              f"{sent} {lab.status()['counters']} {told} {told_by_agent()} {events(lab)}")


def under_the_new_prefix(lab):
    """The node's address in it, for which it has no security association: in the clear, and under the one that it has."""
    at, clear = lab.registered_at(), attack.Sender("mn", "w2")
    update = spoof.update(NEXT_ADDRESS, HOME_AGENT, lab.status()["sequence"] + 1 & 0xFFFF, at)
    begin = time.time()
    attack.refused(lab, "an update of the node's address in the new prefix, in the clear,", "ha",
                   "malformed/update of a home address that is not served", lambda: clear.send(
                       attack.under_option(at, HOME_AGENT, NEXT_ADDRESS, spoof.MOBILITY, update), HOME_AGENT, 3))
    lab.spans.append((begin, time.time() + 0.1))

    def sealed():
        own = {s.spi for s in kernel.states("mn") if s.reqid == REQID_NODE}  # the Mobility Header's, two during a re-key
        for state in attack.states("mn")[HOME_ADDRESS, HOME_AGENT]:
            if state[0] in own:
                packet = attack.seal(state, state[3] + 1, spoof.MOBILITY, update)
                clear.send(attack.under_option(at, HOME_AGENT, NEXT_ADDRESS, attack.ESP, packet), HOME_AGENT)
    attack.refused(lab, "the same under the node's own security association", "ha", "kernel/XfrmInStateMismatch", sealed, 1)
    # The number that the lab has used in the kernel's place.
    attack.Speaker("mn", HOME_ADDRESS, HOME_AGENT).update(0, "ff02::1")


def moved_without_key_mobility(lab):
    """The home agent has been refusing K since its last start."""
    def spis():
        return rekey.spis(lab.vici_socket("mn"))[1]
    old = spis()
    at = common.move_to(lab, "w1", "up", "w1")
    gone = wait_for(lambda: lab.ike_endpoints()[:2] == ([at], [at]) and not {*old} & {*spis()}, 10, 0.1)
    lab.check("after a move with K refused neither of the two CHILD_SAs is what it was", at and gone and len(old) >= 2 and
              lab.status().get("key_mobility") is False, f"{at} {lab.ike_endpoints()} {old} {spis()}")
    shortened(lab, 60, key_mobility=False)
    lab.check("and the prefixes are learned again under a new one", ordering.refresh() and learned(lab, 60) and
              children(lab) == (1, 1), f"{children(lab)} {events(lab)}")


def renumbered(lab):
    """The last start of the home agent has begun it."""
    lab.spans = []
    told = wait_for(lambda: [line for line in events(lab) if f"home network has {NEXT_PREFIX}" in line], 30, 0.3)
    lab.check("the node hears of the new prefix, and has no key for an address in it", told and
              all("no key for a home address in it, so it is not used" in line for line in told), events(lab))
    what, remedy = lab.trouble()
    lab.check("its user is told what to do", NEXT_PREFIX in what and HOME_ADDRESS in what and "mnd.conf" in remedy,
              f"{what} {remedy}")
    lab.check("no address of the new prefix is on the node", not any(
        address.local.startswith(NEXT_ADDRESS.removesuffix(":42")) for interface in ("mip6", "w1", "w2", "wh")
        for address in kernel.addresses("mn", interface)))
    left = lab.status().get("expires_in_s") or 0
    lab.check("the binding is cut to what is left of the old prefix", 0 < left <= 200 and lab.registered_at(), lab.status())


def moved_over(lab):
    """To the new prefix, while the home agent has its own address in the old one and goes on running."""
    stopped = lab.stop("mnd.mn")
    config, name = RUN / "ha.conf", NODES["mn"]["name"]
    former = config.read_text(encoding="utf-8")
    edited = former.replace(f"home-address = {HOME_ADDRESS}\n", f"home-address = {NEXT_ADDRESS}\n")
    config.write_text(edited.replace("prefix-lifetime = 60", "prefix-lifetime = 600"), encoding="utf-8")
    said = ask(RUN / "ha.control", "reload")
    lab.check("reload takes the node's address in the new prefix, and the old one's lifetime", stopped == 0 and
              "prefix-lifetime = 60" in former and said.get("added") == said.get("removed") == {"count": 1, "names": [name]}
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
