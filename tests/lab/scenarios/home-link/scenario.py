"""The home agent on the home link (RFC 6275 sections 10.3.2 and 10.4): a home address is tested before it is served and
defended afterwards, neighbours reach the node, also after restarts; what must not go through the tunnel does not, either
way; a refusal to a node at home reaches it there. One node is mnd's, one is made by hand and asks for its link-local
address too."""

import signal
import struct

import attack
import common
import handmade
import leftovers
import neighbours
import spoof
import topology
from attack import counted, more
from handmade import A, H, L
from lab import CORRESPONDENT, HOME_ADDRESS, HOME_AGENT, NODES, PATIENCE_FACTOR, inside, program, run, wait_for

BY_HAND, ITS_LINK_LOCAL = "2001:db8:1::51", "fe80::51"
HOST, HOST_LINK_LOCAL = "2001:db8:1::9", "fe80::9"  # of the neighbour on the home link
OTHER_OUTSIDE = "2001:db8:a3::bad"
UNREACHABLE = 1  # ICMPv6


def scenario(lab):
    NODES.pop("mn2")
    NODES["mn"]["manual_keys"] = common.make_keys("mn")
    node = handmade.Node("by-hand", BY_HAND, "mn2", "w1", wait_for(lambda: lab.care_of("mn2", "w1"), 15))
    inside("hh", lambda: topology.batch(f"addr add {address}/64 dev eth0 nodad" for address in (HOST, HOST_LINK_LOCAL)))
    lab.host = neighbours.Host("hh", "eth0", HOST, "ha", "home")
    lab.before = {"ha": leftovers.snapshot("ha", lab.vici_socket("ha"))}
    handmade.keys_are_new(lab, "by-hand", NODES["mn"]["name"])
    config = lab.node_config("mn")
    run(program("mnd"), "--config", str(config), "--keys-are-new", namespace="mn")
    lab.agent()
    begins(lab, node)
    for address, what in ((HOME_ADDRESS, "the home address"), (ITS_LINK_LOCAL, "the link-local address")):
        defended(lab, address, what)
    not_tunnelled(lab, node)
    reverse(lab, node)
    restarts(lab)
    at_home(lab, node)
    lab.stop("mnd.mn")
    lab.check("the home agent ends with status 0", lab.stop("ha") == 0)
    left = leftovers.difference(lab.before["ha"], leftovers.snapshot("ha", lab.vici_socket("ha")))
    lab.check("and leaves nothing", not left, left)


def begins(lab, node):
    """Both register; what is said on the home link meanwhile."""
    wait_for(attack.agent_status, 30)
    node.update(1, flags=A | H | L)
    announced(lab, "before a first registration", tested=True)
    answer = node.answer()
    lab.check("and that is acknowledged", answer and answer.status == 0 and answer.sequence == 1, answer)
    lab.node("mn")
    lab.check("the node registers", lab.wait_registered("mn", timeout=40), lab.status("mn"))
    lab.check("a neighbour reaches it", lab.ping("hh", HOME_ADDRESS) >= 2)


def announced(lab, when, tested=False):
    """What is said, in any order, about both addresses of the node made by hand."""
    tests, announcements, host = set(), {}, lab.host
    wanted = {BY_HAND, ITS_LINK_LOCAL}
    for arrived, frame in host.tap.frames(20 * PATIENCE_FACTOR):
        told = neighbours.read(frame) if arrived else None
        if told and told.kind == neighbours.SOLICITATION and told.source == "::":
            tests.add(told.target)
        elif told and told.kind == neighbours.ADVERTISEMENT and told.target in wanted:
            announcements[told.target] = told
        if wanted <= announcements.keys():
            break
    if tested:
        lab.check(f"{when} the home address and, with L, the link-local address are tested for duplicates",
                  wanted <= tests, tests)
    lab.check(f"{when} both are announced as the home agent's", wanted <= announcements.keys() and all(
        told.destination == neighbours.ALL_NODES and told.flags == neighbours.OVERRIDE and
        told.link_layer == host.agent_link_layer for told in announcements.values()), announcements)


def answered(lab, address, what, ask, destination, flags):
    drain(lab.host.tap)
    ask(address)
    told = lab.host.heard(address, destination, flags)
    # Who asks it alone knows its link-layer address, which may be left out then (RFC 4861 section 7.2.4).
    lab.check(f"{what} is answered by the home agent", told and told.sender == lab.host.agent_link_layer and
              told.link_layer in (lab.host.agent_link_layer, b""), told)


def defended(lab, address, what):
    host = lab.host
    asked = HOST, neighbours.SOLICITED
    answered(lab, address, f"who asks for {what}", host.ask, *asked)
    answered(lab, address, f"who asks the home agent alone whether it still has {what}", lambda a: host.ask(a, True), *asked)
    answered(lab, address, f"who tests whether {what} is free", host.test, neighbours.ALL_NODES, 0)
    answered(lab, address, f"who claims {what}", host.claim, neighbours.ALL_NODES, neighbours.OVERRIDE)


def echo(source, destination, number):
    return spoof.ipv6(source, destination, spoof.ICMPV6, spoof.echo(source, destination, number))


def passing(tap, last, timeout=20):
    """Numbers of the lab's own echo requests that pass, up to that one."""
    seen = []
    for _, frame in tap.frames(timeout * PATIENCE_FACTOR, lambda f: b"forged" in f):
        number, = struct.unpack_from("!H", frame, frame.index(b"forged") - 2)
        if number not in seen:
            seen.append(number)
        if number == last:
            break
    return seen


def not_tunnelled(lab, node):
    """From the home link to the node made by hand."""
    host = lab.host
    drain(node.tap, host.tap)
    host.send(echo(HOST, ITS_LINK_LOCAL, 1), host.agent_link_layer)
    refusal = next((frame for arrived, frame in host.tap.frames(20 * PATIENCE_FACTOR) if arrived and frame[20] ==
                    spoof.ICMPV6 and frame[54] == UNREACHABLE), None)
    lab.check("a packet to its link-local address is answered by Destination Unreachable, code 3",
              refusal and refusal[55] == 3 and spoof.packed(ITS_LINK_LOCAL) in refusal, refusal and refusal[54:56])
    host.send(echo(HOST_LINK_LOCAL, BY_HAND, 2), host.agent_link_layer)
    for number, group in enumerate(("ff02::1", "ff05::1234", "ff08::1234", "ff0e::1234"), 3):
        host.send(echo(HOST, group, number), neighbours.multicast(group))
    host.send(echo(HOST, BY_HAND, 10), host.agent_link_layer)
    seen = passing(node.tap, 10)
    lab.check("through the tunnel goes what is for the home address, and neither what is for the link-local address or comes "
              "from one, nor multicast of any scope", seen == [10], seen)


def reverse(lab, node):
    """From the node made by hand."""
    far = attack.Tap("cn", "wan")
    drain(lab.host.tap, far)
    before = counted(attack.agent_status())

    def send(inner, source=node.at):
        node.sender.send(spoof.ipv6(source, HOME_AGENT, spoof.IPV6, inner), HOME_AGENT)
    send(echo(HOME_ADDRESS, CORRESPONDENT, 1))
    send(echo(HOST, CORRESPONDENT, 2))
    send(echo(ITS_LINK_LOCAL, "ff02::16", 3))
    send(echo("::", CORRESPONDENT, 4))
    send(echo(BY_HAND, CORRESPONDENT, 5), source=OTHER_OUTSIDE)
    send(echo(BY_HAND, CORRESPONDENT, 6), source=lab.registered_at("mn"))
    dropped = 6
    send(echo(BY_HAND, "ff02::1", 7))
    send(echo(BY_HAND, "ff0e::1234", 8))
    send(echo(BY_HAND, HOST_LINK_LOCAL, 9))
    send(echo(BY_HAND, HOST, 10))
    send(echo(BY_HAND, CORRESPONDENT, 11))
    seen = passing(lab.host.tap, 10), passing(far, 11)
    lab.check("out of the tunnel comes what has a home address inside and its care-of address outside, for one address",
              seen == ([10], [11]), seen)
    grown = more(before, counted(attack.agent_status()))
    lab.check("each packet of another is counted", grown.get("tunnel_dropped") == dropped, grown)


def drain(*taps):
    for tap in taps:
        for _ in tap.frames(0.05):
            pass


def proxies():
    return sorted(line.split()[0] for line in run("ip", "-n", "ha", "-6", "neigh", "show", "proxy").splitlines())


def restarts(lab):
    for sent, what in ((signal.SIGKILL, "SIGKILL"), (signal.SIGTERM, "SIGTERM")):
        drain(lab.host.tap)
        lab.stop("ha", sent)
        if sent == signal.SIGTERM:
            lab.check("after SIGTERM nothing is intercepted", not proxies(), proxies())
        else:
            lab.check("after SIGKILL a neighbour still reaches the node", lab.ping("hh", HOME_ADDRESS) >= 2)
        lab.agent()
        announced(lab, f"after {what} and a restart")
        wait_for(attack.agent_status, 30)
        lab.check(f"after {what} and a restart a neighbour reaches the node", lab.ping("hh", HOME_ADDRESS) >= 2)
        answered(lab, ITS_LINK_LOCAL, f"after {what} and a restart who tests whether the link-local address is free",
                 lab.host.test, neighbours.ALL_NODES, 0)


def at_home(lab, node):
    """The node made by hand comes home, with a binding."""
    away = node.tap
    node.go("hh", "eth0")

    def resolved(frame):
        lab.host.answer(frame, BY_HAND)
    for status, what, update in ((135, "an old number", {"sequence": 1}), (128, "no home address option", {"sequence": 2})):
        drain(away, lab.host.tap, node.tap)
        node.update(**update, option=False)
        answer = node.answer(meanwhile=resolved)
        lab.check(f"a refusal for {what} reaches the node at home",
                  answer == (status, False, update["sequence"], 0, None, False), answer)
        lab.check("and does not go into the tunnel", not list(away.frames(0.3, lambda f: f[20] == spoof.IPV6)))
    lab.check("meanwhile the binding is what it was", attack.entry("by-hand").get("care_of") == node.at)
    node.update(3, lifetime=0, options=b"", option=False)
    answer = node.answer(meanwhile=resolved)
    lab.check("a de-registration at home is acknowledged there", answer == (0, False, 3, 0, None, False), answer)
    lab.check("and neither address is intercepted any more", proxies() == [HOME_ADDRESS], proxies())
