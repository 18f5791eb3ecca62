"""A hostile network: forged, replayed and altered packets towards both ends: messages in the clear of every kind, Binding
Errors and ICMP, captured updates sent again, from the other direction and with a flipped K, tunnelled payload with a wrong
source. Each is refused and counted by name, and the node stays registered. Then a hostile home agent, see guest/liar.py."""

import struct
import time
from contextlib import contextmanager
from itertools import islice

import attack
import common
import liar
import spoof
from attack import counted
from lab import CORRESPONDENT, HOME_ADDRESS, HOME_AGENT, run, wait_for

ESP_AT = 40 + 24  # behind IPv6 header and home address option, or type 2 routing header
OTHER_HOME = "2001:db8:1::43"


def scenario(lab):
    if not common.begin(lab, capture=False):
        return
    lab.at = lab.registered_at("mn")
    lab.outsider = attack.Sender("cn")
    with nothing_comes_of(lab, "messages in the clear"):
        in_the_clear(lab)
    unauthenticated_errors(lab)
    replays(lab)
    flipped(lab)
    with nothing_comes_of(lab, "wrong payload"):
        tunnelled(lab)
    lab.check("after all that the node is registered where it was, and answers", lab.registered_at("mn") == lab.at and
              lab.ping("cn", HOME_ADDRESS, 3) == 3, lab.status("mn"))
    liar.check(lab)
    common.stop_and_compare(lab)


def refused(lab, what, side, counter, attempt):
    """That nothing moves is seen after some of them, too, once: nothing_comes_of()."""
    attack.refused(lab, what, side, counter, attempt, wait=0)


@contextmanager
def nothing_comes_of(lab, what):
    def moving():
        return ([lab.status("mn")["counters"][name] for name in ("updates_sent", "acknowledged", "refused")],
                attack.agent_status()["counters"]["accepted"], common.agent_route(), lab.registered_at("mn"))
    before = moving()
    yield
    time.sleep(0.3)
    now = moving()
    lab.check(f"{what}: no update, no acknowledgement and no binding came of it", now == before and all(now), (before, now))


def refresh(lab):
    """One more update of the node, and its acknowledgement."""
    before = lab.status("mn")["counters"]["acknowledged"]
    lab.status("mn", "refresh")
    return wait_for(lambda: lab.status("mn")["counters"]["acknowledged"] > before, 5, 0.05)


# --- messages in the clear ---
def bodies(lab):
    number = lab.status("mn")["sequence"]
    return ((spoof.UPDATE, "an update", struct.pack("!HHH", number + 1 & 0xFFFF, 0xD000, 100) + b"\1\2\0\0"),
            (spoof.ACKNOWLEDGEMENT, "an acknowledgement", struct.pack("!BBHH", 133, 0, number, 0) + b"\1\2\0\0"),
            (attack.REFRESH_REQUEST, "a refresh request", b"\0\0"))


def in_the_clear(lab):
    mismatch = "kernel/XfrmInTmplMismatch"
    for kind, what, body in bodies(lab):
        message = spoof.mobility(HOME_ADDRESS, HOME_AGENT, kind, body)
        bare = spoof.ipv6(HOME_ADDRESS, HOME_AGENT, spoof.MOBILITY, message)
        refused(lab, f"{what} in the clear from the home address", "ha", mismatch,
                lambda p=bare: lab.outsider.send(p, HOME_AGENT, 3))
        option = attack.under_option(lab.at, HOME_AGENT, HOME_ADDRESS, spoof.MOBILITY, message)
        refused(lab, f"{what} in the clear with home address option", "ha", mismatch,
                lambda p=option: lab.outsider.send(p, HOME_AGENT, 3))
        routed = spoof.ipv6(HOME_AGENT, lab.at, spoof.ROUTING, spoof.routing_header(HOME_ADDRESS, spoof.MOBILITY) +
                            spoof.mobility(HOME_AGENT, HOME_ADDRESS, kind, body))
        refused(lab, f"{what} in the clear to the node, with type 2 routing header", "mn", mismatch,
                lambda p=routed: lab.outsider.send(p, lab.at, 3))
        bare = spoof.ipv6(HOME_AGENT, lab.at, spoof.MOBILITY, spoof.mobility(HOME_AGENT, lab.at, kind, body))
        refused(lab, f"{what} in the clear to the care-of address", "mn", "dropped/in the clear",
                lambda p=bare: lab.outsider.send(p, lab.at, 3))


# --- what is unauthenticated by nature ---
def unauthenticated_errors(lab):
    tap = attack.Tap("ar1", "acc")
    refresh(lab)
    quoted = next((frame[14:] for _, frame in tap.frames(1, update_of(lab.at))), b"")
    error = spoof.mobility(HOME_AGENT, lab.at, spoof.BINDING_ERROR, b"\1\0" + spoof.packed(HOME_ADDRESS))
    before = lab.status("mn")["counters"]
    lab.outsider.send(spoof.ipv6(HOME_AGENT, lab.at, spoof.MOBILITY, error), lab.at, 200, 0.002)
    time.sleep(1)
    after = lab.status("mn")["counters"]
    sent = after["updates_sent"] - before["updates_sent"]
    lab.check("they are counted as Binding Errors", after["binding_errors"] - before["binding_errors"] == 200, after)
    lab.check("200 forged Binding Errors bring one update at most and end nothing", sent <= 1 and
              lab.registered_at("mn") == lab.at, f"{sent} updates, {lab.status('mn')}")

    before = lab.status("mn")["counters"]
    for source in (HOME_AGENT, CORRESPONDENT):
        for kind, code, pointer in ((4, 0, 40), (4, 1, 40), (4, 2, 48), (1, 0, 0), (1, 1, 0), (1, 3, 0), (1, 5, 0),
                                    (3, 0, 0), (2, 0, 1280)):
            icmp = struct.pack("!BBHI", kind, code, 0, pointer) + quoted[:1000]
            icmp = icmp[:2] + struct.pack("!H", spoof.checksum(source, lab.at, spoof.ICMPV6, icmp)) + icmp[4:]
            lab.outsider.send(spoof.ipv6(source, lab.at, spoof.ICMPV6, icmp), lab.at, 5, 0.005)
    time.sleep(0.5)
    after = lab.status("mn")["counters"]
    sent = after["updates_sent"] - before["updates_sent"]
    lab.check("those of them that are Parameter Problems of an update of ours are counted",
              after["parameter_problems"] > before["parameter_problems"], after)
    lab.check("90 forged ICMP errors that quote a real update bring one update at most and end nothing", quoted and
              sent <= 1 and lab.registered_at("mn") == lab.at, f"{sent} updates, {lab.status('mn')}")
    lab.check("and the node answers as before", lab.ping("cn", HOME_ADDRESS, 3) == 3)


# --- real packets, sent again or altered ---
def update_of(at):
    return lambda frame: (frame[20], frame[22:38], frame[14 + 40]) == (spoof.DSTOPTS, spoof.packed(at), attack.ESP)


def acknowledgement_to(at):
    return lambda frame: (frame[20], frame[38:54], frame[14 + 40]) == (spoof.ROUTING, spoof.packed(at), attack.ESP)


def replays(lab):
    tap = attack.Tap("ar1", "acc")
    for _ in range(3):
        lab.check("the node refreshes its binding", refresh(lab), lab.status("mn"))
    both = [frame[14:] for _, frame in tap.frames(0.5, lambda f: update_of(lab.at)(f) or acknowledgement_to(lab.at)(f))]
    updates = [p for p in both if p[6] == spoof.DSTOPTS]
    answers = [p for p in both if p[6] == spoof.ROUTING]
    if not lab.check("three updates and their acknowledgements are captured", len(updates) >= 3 and len(answers) >= 3,
                     f"{len(updates)} {len(answers)}"):
        return
    with nothing_comes_of(lab, "packets sent again"):
        sent_again(lab, updates, answers)


def sent_again(lab, updates, answers):
    refused(lab, "a captured update, sent again after later ones,", "ha", "kernel/XfrmInStateSeqError",
            lambda: lab.outsider.send(updates[0], HOME_AGENT, 3))
    elsewhere = attack.under_option(CORRESPONDENT, HOME_AGENT, HOME_ADDRESS, attack.ESP, updates[0][ESP_AT:])
    refused(lab, "the same from another care-of address", "ha", "kernel/XfrmInStateSeqError",
            lambda: lab.outsider.send(elsewhere, HOME_AGENT, 3))
    refused(lab, "a captured acknowledgement, sent again,", "mn", "kernel/XfrmInStateSeqError",
            lambda: lab.outsider.send(answers[0], lab.at, 3))
    turned = attack.under_option(lab.at, HOME_AGENT, HOME_ADDRESS, attack.ESP, answers[0][ESP_AT:])
    refused(lab, "an acknowledgement, sent to the home agent,", "ha", "kernel/XfrmInNoStates",
            lambda: lab.outsider.send(turned, HOME_AGENT, 3))
    turned = spoof.ipv6(HOME_AGENT, lab.at, spoof.ROUTING, spoof.routing_header(HOME_ADDRESS, attack.ESP) +
                        updates[0][ESP_AT:])
    refused(lab, "an update, sent to the node,", "mn", "kernel/XfrmInNoStates",
            lambda: lab.outsider.send(turned, lab.at, 3))
    # Where ESP does not tell (the number is new to it), the home agent's own number does.
    older = attack.Speaker("mn", HOME_ADDRESS, HOME_AGENT)
    last = attack.entry("laptop")["sequence"]
    for number, what in ((last, "the last number once more"), (last - 1, "an older number"),
                         (last + 0x8000, "a number 2^15 ahead")):
        refused(lab, f"{what} under the node's own security association", "ha",
                "refused_as/sequence number out of window",
                lambda n=number: [older.update(n, CORRESPONDENT) for _ in range(3)])


def k_agreed(lab):
    return lab.registered_at("mn") == lab.at and lab.status("mn").get("key_mobility") is True


def flipped(lab):
    """Who holds the path flips K, and may hold the packet back: CBC without authentication would give exactly that."""
    tap = attack.Tap("ar1", "acc")
    core = attack.Sender("core")
    held = counted(attack.agent_status())

    def altered(packet, at, bit):
        packet = bytearray(packet)
        packet[ESP_AT + 8 + at] ^= bit  # the initial vector: the same bit of the first block
        return bytes(packet)
    run("ip", "-n", "ar1", "-6", "route", "add", "blackhole", f"{HOME_AGENT}/128")
    lab.status("mn", "refresh")
    for _, frame in islice(tap.frames(5, update_of(lab.at)), 1):
        core.send(altered(frame[14:], 8, 0x10), HOME_AGENT, 2)
    time.sleep(0.2)
    grown = attack.more(held, counted(attack.agent_status()))
    run("ip", "-n", "ar1", "-6", "route", "del", "blackhole", f"{HOME_AGENT}/128")
    lab.check("an update whose K was flipped on its way is refused and counted as kernel/XfrmInStateProtoError",
              grown.get("kernel/XfrmInStateProtoError", 0) >= 2 and "accepted" not in grown, grown)
    through = wait_for(lambda: attack.more(held, counted(attack.agent_status())).get("accepted"), 10)
    lab.check("the next one gets through, and K is agreed", through and wait_for(lambda: k_agreed(lab), 5),
              lab.status("mn"))

    held = counted(lab.status("mn"))
    wan = attack.Tap("ar1", "wan")
    run("ip", "-n", "ar1", "-6", "route", "add", "blackhole", f"{lab.at}/128")
    lab.status("mn", "refresh")
    answers = [frame[14:] for _, frame in islice(wan.frames(5, acknowledgement_to(lab.at)), 1)]
    run("ip", "-n", "ar1", "-6", "route", "del", "blackhole", f"{lab.at}/128")
    for packet in answers:
        core.send(altered(packet, 7, 0x80), lab.at)
    time.sleep(0.2)
    grown = attack.more(held, counted(lab.status("mn")))
    lab.check("an acknowledgement whose K was flipped is refused and counted as kernel/XfrmInStateProtoError",
              answers and grown.get("kernel/XfrmInStateProtoError", 0) >= 1 and "acknowledged" not in grown, grown)
    lab.check("the node repeats its update and K stays agreed", wait_for(
        lambda: attack.more(held, counted(lab.status("mn"))).get("acknowledged") and k_agreed(lab), 10),
        lab.status("mn"))


# --- payload ---
def tunnelled(lab):
    far = attack.Tap("cn", "wan")

    def to_agent(outer, inner):
        return spoof.ipv6(outer, HOME_AGENT, spoof.IPV6, spoof.ipv6(inner, CORRESPONDENT, spoof.ICMPV6,
                                                                    spoof.echo(inner, CORRESPONDENT)))

    def to_node(outer, inner):
        return spoof.ipv6(outer, lab.at, spoof.IPV6, spoof.ipv6(CORRESPONDENT, inner, spoof.ICMPV6,
                                                                spoof.echo(CORRESPONDENT, inner)))

    def arrives(at_most):
        frames = far.frames(0.5, lambda f: f[20] == spoof.ICMPV6 and b"forged" in f and f[54] == 128 and
                            f[38:54] == spoof.packed(CORRESPONDENT))
        return len(list(islice(frames, at_most)))
    lab.outsider.send(to_agent(lab.at, HOME_ADDRESS), HOME_AGENT)
    lab.check("tunnelled payload with the right sources arrives, so that what follows can fail", arrives(1) == 1)
    refused(lab, "tunnelled payload from a wrong outer source", "ha", "tunnel_dropped",
            lambda: lab.outsider.send(to_agent(CORRESPONDENT, HOME_ADDRESS), HOME_AGENT, 3))
    for inner, what in ((OTHER_HOME, "another node's home address"), (CORRESPONDENT, "a correspondent's"),
                        (lab.at, "the care-of address")):
        refused(lab, f"tunnelled payload with {what} as inner source", "ha", "tunnel_dropped",
                lambda i=inner: lab.outsider.send(to_agent(lab.at, i), HOME_AGENT, 3))
    lab.check("none of it arrives", arrives(100) == 0)
    refused(lab, "tunnelled payload to the node from a wrong outer source", "mn", "tunnel_dropped",
            lambda: lab.outsider.send(to_node(CORRESPONDENT, HOME_ADDRESS), lab.at, 3))
    refused(lab, "tunnelled payload to the node for another inner address", "mn", "tunnel_dropped",
            lambda: lab.outsider.send(to_node(HOME_AGENT, OTHER_HOME), lab.at, 3))
