"""What the home agent makes of a Binding Update (RFC 6275 sections 9.5.1 and 10.3), update by update, each made by hand
under a valid security association: every status that there is, the order of the tests, and what is dropped without an
answer. What follows is answered from the same state: the number after each update that was not accepted is the one before.
Statuses that no packet can bring are named in libmip6/CONFORMANCE.md."""

import signal

import attack
import handmade
import spoof
import topology
from attack import counted, more
from handmade import A, H, K, L, alternate
from lab import HOME_AGENT, NODES, inside, wait_for

HOME, OTHER, WITHOUT_RECORD, LINK_LOCAL = "2001:db8:1::51", "2001:db8:1::52", "2001:db8:1::53", "fe80::51"
HALF = 1 << 15
MOST = 3600 // 4  # units of lifetime that are granted
RESERVED = 0x0F  # flags
UNKNOWN_OPTION, NONCE_INDICES, TOO_LONG, TOO_SHORT = b"\xc7\2\0\0", b"\4\4\0\1\0\1", b"\3\xc8\0\0", b"\3\x08" + bytes(8)
ACCEPTED, PREFIX_ENDS = 0, 1
PROHIBITED, NOT_HOME_SUBNET, NOT_FOR_THIS_NODE, DUPLICATE, OUT_OF_WINDOW = 129, 132, 133, 134, 135
TYPE_CHANGE, INVALID_CARE_OF = 139, 174
HOME_TEST_INIT = 1
PARAMETER_PROBLEM = 4
PREFIX_LIFETIME = 30  # s


def scenario(lab):
    NODES.clear()
    at = wait_for(lambda: lab.care_of("mn2", "w1"), 15)
    node = handmade.Node("one", HOME, "mn2", "w1", at)
    other = handmade.Node("two", OTHER, "mn2", "w1", at)
    refused = handmade.Node("three", WITHOUT_RECORD, "mn2", "w1", at)
    handmade.keys_are_new(lab, "one", "two")
    lab.agent()
    wait_for(attack.agent_status, 30)
    unbound(lab, node)
    duplicates(lab, node)
    accepted(lab, node)
    out_of_window(lab, node)
    refusals(lab, node)
    prohibited(lab, refused)
    silence(lab, node)
    deregistered(lab, node)
    end_of_prefix(lab, other)


def judged(lab, what, node, status, sequence, granted=0, told=None, **update):
    """One update, one answer. granted: the lifetime in the answer; told: the number there, if not the update's own."""
    node.update(sequence, **update)
    answer = node.answer()
    wanted = (status, False, (sequence if told is None else told) & 0xFFFF, granted, node.at, False)
    lab.check(f"{what}: status {status}", answer == wanted, f"{answer}, wanted {wanted}")
    if answer and answer.status in (ACCEPTED, PREFIX_ENDS, NOT_FOR_THIS_NODE):
        node.last = answer.sequence


def outdated(lab, what, node, **update):
    """With the last number, which decides before all else does."""
    judged(lab, f"{what}, with the last number", node, OUT_OF_WINDOW, node.last, told=node.last, **update)


def silent(lab, what, node, counter, send):
    """What is sent is not answered, has changed nothing when the next update is, and is counted."""
    before = counted(attack.agent_status())
    send()
    node.update(node.last)
    answer = node.answer()
    grown = more(before, counted(attack.agent_status()))
    lab.check(f"{what}: no answer" + (f", counted as {counter}" if counter else ""), answer and answer[:3] == (
        OUT_OF_WINDOW, False, node.last) and (not counter or any(name.startswith(counter) for name in grown)),
        f"{answer} {grown}")


def unbound(lab, node):
    judged(lab, "a de-registration without binding", node, NOT_FOR_THIS_NODE, 10, lifetime=0, options=b"")
    outdated(lab, "the same", node, lifetime=0, options=b"")
    silent(lab, "an update without H where there is no binding", node,
           "dropped_because/no home registration, and we are no correspondent", lambda: node.update(11, flags=A))
    judged(lab, "a care-of address that is the home agent's", node, INVALID_CARE_OF, 11, options=alternate(HOME_AGENT))


def duplicates(lab, node):
    """hh, a host of the home link, has the address."""
    for address, flags, what in ((HOME, A | H, "a home address"), (LINK_LOCAL, A | H | L, "with L a link-local address")):
        inside("hh", lambda a=address: topology.batch([f"addr add {a}/64 dev eth0 nodad"]))
        judged(lab, f"{what} that somebody else has", node, DUPLICATE, 11, flags=flags)
        if address == HOME:
            inside("hh", lambda: topology.batch([f"addr del {HOME}/64 dev eth0"]))


def accepted(lab, node):
    judged(lab, "without L that link-local address is no obstacle; without A, with K though the keys are manual, reserved "
           "flags, an unknown option, and more lifetime than is granted", node, ACCEPTED, 11, granted=MOST,
           flags=H | K | RESERVED, lifetime=0xFFFF, options=alternate(node.at) + UNKNOWN_OPTION)
    judged(lab, "a refresh with L: that address is another's", node, DUPLICATE, 12, flags=A | H | L)
    judged(lab, "a refresh, without alternate care-of address option", node, ACCEPTED, 12, granted=50, lifetime=50, options=b"")


def out_of_window(lab, node):
    for ahead in (0, -1, HALF):
        judged(lab, f"{ahead} ahead of the last number", node, OUT_OF_WINDOW, node.last + ahead, told=node.last)
    for _ in range(2):  # the second time beyond 65535
        judged(lab, f"{HALF - 1} ahead of {node.last}", node, ACCEPTED, (node.last + HALF - 1) & 0xFFFF, granted=100)


def refusals(lab, node):
    number = node.last + 1
    for care_of, what in ((HOME_AGENT, "the home agent's address"), (OTHER, "another node's home address")):
        judged(lab, f"{what} as care-of address", node, INVALID_CARE_OF, number, options=alternate(care_of))
    outdated(lab, "the home agent's address as care-of address", node, options=alternate(HOME_AGENT))
    judged(lab, "without H, for a home registration", node, TYPE_CHANGE, number, flags=A)
    judged(lab, "the same with a wrong care-of address, which is judged after", node, TYPE_CHANGE, number, flags=A,
           options=alternate(HOME_AGENT))
    outdated(lab, "without H", node, flags=A)
    judged(lab, "the number that all these had is not used up", node, ACCEPTED, number, granted=100)


def prohibited(lab, refused):
    judged(lab, "a node that is refused service", refused, PROHIBITED, 1)
    judged(lab, "the same with a wrong care-of address, which is judged after", refused, PROHIBITED, 1,
           options=alternate(HOME_AGENT))


def silence(lab, node):
    """Dropped before the number is looked at, so these have one that would be accepted, or none that would be."""
    number, malformed = node.last + 1, "malformed/"
    for care_of in ("ff0e::1", "fe80::1", "::"):
        silent(lab, f"care-of address {care_of}", node, "dropped_because/the care-of address is not unicast routable",
               lambda c=care_of: node.update(number, options=alternate(c)))
    silent(lab, "the same with an old number", node, "dropped_because/the care-of address is not unicast routable",
           lambda: node.update(node.last - 1, options=alternate("ff0e::1")))
    silent(lab, "nonce indices", node, "dropped_because/nonce indices in a home registration",
           lambda: node.update(number, options=alternate(node.at) + NONCE_INDICES))
    for options, what in ((TOO_LONG, "an option beyond the end"), (TOO_SHORT, "a care-of address of eight bytes")):
        silent(lab, what, node, malformed, lambda o=options: node.update(number, options=o))
    silent(lab, "a Header Len of less than there is", node, malformed + "Header Len does not match the number of bytes",
           lambda: node.update(number, length=2))
    for what, header in (("a Header Len of more than there is", {"length": 9}), ("a wrong checksum", {"damage": 1}),
                         ("a Header Len too short for the type", {"length": 0}), ("a payload protocol", {"next_header": 6})):
        silent(lab, f"{what} (the kernel drops it)", node, None, lambda h=header: node.update(number, **h))
    for kind, what, counter in ((HOME_TEST_INIT, "a Home Test Init", "unknown type of message"),
                                (spoof.ACKNOWLEDGEMENT, "a Binding Acknowledgement", "not a message for a home agent")):
        silent(lab, what, node, malformed + counter, lambda k=kind: node.send(handmade.message(HOME, k, bytes(10))))
    answered(lab, node, "a type that nobody knows", lambda: node.send(handmade.message(HOME, 200, bytes(10))),
             "a Binding Error with status 2", lambda f: f[20] == spoof.MOBILITY and f[56] == spoof.BINDING_ERROR and f[60] == 2)
    answered(lab, node, "an unknown destination option that must not be skipped", lambda: unknown_destination_option(node),
             "a Parameter Problem, code 2", lambda f: f[20] == spoof.ICMPV6 and tuple(f[54:56]) == (PARAMETER_PROBLEM, 2))
    judged(lab, "after all that the number is still free", node, ACCEPTED, number, granted=100)


def answered(lab, node, what, send, how, wanted):
    list(node.tap.frames(0.05))
    send()
    arrived = next(node.tap.frames(60, lambda f: f[38:54] == spoof.packed(node.at) and wanted(f)), None)
    lab.check(f"{what} is answered by {how}", arrived)


def unknown_destination_option(node):
    """An update that would be accepted, but for that."""
    node.number += 1
    body = handmade.body_of(node.last + 1, A | H, 100) + alternate(node.at)
    sealed = attack.seal(node.out, node.number, spoof.MOBILITY, handmade.message(HOME, spoof.UPDATE, body))
    header = spoof.home_address_option(HOME, attack.ESP) + b"\xc5\6" + bytes(6)
    node.sender.send(spoof.ipv6(node.at, HOME_AGENT, spoof.DSTOPTS, header[:1] + b"\3" + header[2:] + sealed), HOME_AGENT)


def deregistered(lab, node):
    judged(lab, "a de-registration", node, ACCEPTED, node.last + 1, lifetime=0, options=b"")
    lab.check("after which nothing is bound", not attack.entry("one").get("care_of"), attack.entry("one"))
    judged(lab, "another, within ten seconds of it, by the home address as care-of address", node, ACCEPTED, node.last + 1,
           options=alternate(HOME))


def end_of_prefix(lab, node):
    """The home prefix ends while the node is bound."""
    judged(lab, "another node", node, ACCEPTED, 1, granted=100)
    lab.stop("ha", signal.SIGKILL)
    lab.agent(extra=f"prefix-lifetime = {PREFIX_LIFETIME}")
    wait_for(attack.agent_status, 30)
    node.update(2)
    answer = node.answer()
    lab.check("when the prefix ends earlier than was asked for the lifetime is cut to that: status 1", answer and
              answer[:3] == (PREFIX_ENDS, False, 2) and 0 < answer.lifetime <= PREFIX_LIFETIME // 4, answer)
    node.last = 2
    ended = wait_for(lambda: attack.agent_status() and not attack.entry("two").get("care_of"), PREFIX_LIFETIME + 5, 0.5)
    lab.check("the binding ends with the prefix", ended, attack.entry("two"))
    judged(lab, "afterwards its address is none of the home link's", node, NOT_HOME_SUBNET, 3)
    outdated(lab, "the same", node)
    judged(lab, "the same with a wrong care-of address, which is judged after", node, NOT_HOME_SUBNET, 3,
           options=alternate(HOME_AGENT))
    judged(lab, "a de-registration, whose binding is looked for after", node, NOT_HOME_SUBNET, 3, lifetime=0, options=b"")
