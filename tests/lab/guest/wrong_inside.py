"""Payload in ESP tunnel mode with wrong addresses inside: what a node sends under its own SA in another's name, and what a home
agent sends under its own that is not for the node. Made by the lab with the real keys, refused and counted by the kernels."""

import socket
from pathlib import Path

import attack
import spoof
from lab import CORRESPONDENT, HOME_ADDRESS, HOME_AGENT, NODES, inside, wait_for
from wire import address

SECOND = NODES["mn2"]["home_address"]
NOBODY = "2001:db8:1::77"
ECHO_REQUEST, ECHO_REPLY = 128, 129
DISCARD = 9  # a port
NOT_LOCAL = "Ip6InAddrErrors"  # of the node, which does not forward; the other counters are those of IPsec


def check(lab):
    """`mn` is registered, with payload under ESP; `mn2` has been started, and ends here. No other traffic."""
    if not lab.check("a second node registers", lab.wait_registered("mn2", timeout=20), lab.status("mn2")):
        return
    at, far = lab.registered_at(), attack.Tap("cn", "wan")
    to_node = attack.Tunnel("ha", HOME_AGENT, at, "wan")
    to_node.send(CORRESPONDENT, HOME_ADDRESS)
    lab.check("what the lab seals for the node is taken, and answered", seen(far, ECHO_REPLY) == [HOME_ADDRESS])

    def refused(what, end, counter, tunnel, *inner):
        before = count(lab, end, counter)
        tunnel.send(*inner, 3)
        lab.check(f"{what} is dropped and counted as {counter}", wait_for(
            lambda: count(lab, end, counter) >= before + 3, 3), (before, count(lab, end, counter)))
    refused("under the home agent's SA, a packet from the node's home address to itself", "mn", "XfrmInTmplMismatch", to_node,
            HOME_ADDRESS, HOME_ADDRESS)
    refused("one to the care-of address", "mn", "XfrmInNoPols", to_node, CORRESPONDENT, at)
    refused("one to the second node's home address", "mn", NOT_LOCAL, to_node, CORRESPONDENT, SECOND)
    answered = seen(far, ECHO_REPLY)
    lab.check("the node answers none of them and passes none on", not answered, answered)
    to_agent = attack.Tunnel("mn", at, HOME_AGENT, "w1")
    to_agent.send(HOME_ADDRESS, CORRESPONDENT)
    lab.check("what the lab seals for the home agent is forwarded", seen(far, ECHO_REQUEST) == [HOME_ADDRESS])
    refused("under the node's SA, a packet from the second node's home address", "ha", "XfrmInTmplMismatch", to_agent, SECOND,
            CORRESPONDENT)
    refused("one from the care-of address", "ha", "XfrmInNoPols", to_agent, at, CORRESPONDENT)
    refused("one from nobody's address of the home link", "ha", "XfrmInNoPols", to_agent, NOBODY, CORRESPONDENT)
    arrived = seen(far, ECHO_REQUEST)
    lab.check("nothing of them is forwarded", not arrived, arrived)
    use_up(to_agent.used, to_node.used)
    lab.check("after that both nodes are reached", lab.ping("cn", SECOND) == 3 == lab.ping("cn", HOME_ADDRESS) and
              lab.registered_at() == at, f"{lab.status()} {lab.status('mn2')}")
    lab.stop("mnd.mn2")


def seen(tap, kind):
    """Sources of the lab's own packets of this kind that arrive."""
    return [address(f[22:38]) for _, f in tap.frames(0.4, lambda f: f[20] == spoof.ICMPV6 and f[54] == kind and
                                                           b"forged" in f)]


def count(lab, end, counter):
    if counter == NOT_LOCAL:
        lines = inside(end, Path("/proc/thread-self/net/snmp6").read_text).splitlines()
        return int(next(line.split()[1] for line in lines if line.split()[0] == counter))
    return attack.counted(attack.agent_status() if end == "ha" else lab.status(end)).get(f"kernel/{counter}", 0)


def use_up(from_node, from_agent):
    """Numbers of ESP that the lab has used in the kernels' place."""
    for namespace, source, target, numbers in (("mn", HOME_ADDRESS, CORRESPONDENT, from_node),
                                               ("cn", CORRESPONDENT, HOME_ADDRESS, from_agent)):
        sender = attack.socket_in(namespace, socket.AF_INET6, socket.SOCK_DGRAM)
        sender.bind((source, 0))
        for _ in range(numbers):
            sender.sendto(b"", (target, DISCARD))
