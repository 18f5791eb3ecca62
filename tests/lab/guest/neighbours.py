"""A host of the home link that speaks Neighbour Discovery by hand: asks for addresses, tests whether they are free, claims
them, and hears what is said about them."""

import struct
from collections import namedtuple

import attack
import spoof
import wire
from lab import PATIENCE_FACTOR

SOLICITATION, ADVERTISEMENT = 135, 136
SOLICITED, OVERRIDE = 0x40, 0x20
ALL_NODES = "ff02::1"

# link_layer: of its option, b"" if it has none; sender: of the frame.
Heard = namedtuple("Heard", "kind source destination flags target link_layer sender")


def group_of(target):
    return "ff02::1:ff" + spoof.packed(target)[13:14].hex() + ":" + spoof.packed(target)[14:].hex()


def multicast(group):
    return b"\x33\x33" + spoof.packed(group)[12:]


def read(frame):
    """A solicitation or advertisement; None if it is something else."""
    if frame[20] != spoof.ICMPV6 or len(frame) < 78 or frame[54] not in (SOLICITATION, ADVERTISEMENT):
        return None
    option = frame[78:86]
    link_layer = option[2:] if len(option) == 8 and option[0] in (1, 2) else b""
    return Heard(frame[54], wire.address(frame[22:38]), wire.address(frame[38:54]), frame[58],
                 wire.address(frame[62:78]), link_layer, frame[6:12])


class Host:
    def __init__(self, namespace, interface, address, agent_namespace, agent_interface):
        self.tap, self.address = attack.Tap(namespace, interface), address
        self.link_layer = self.tap.socket.getsockname()[4]
        self.agent_link_layer = attack.Tap(agent_namespace, agent_interface).socket.getsockname()[4]

    def send(self, packet, link_layer):
        self.tap.socket.send(link_layer + self.link_layer + b"\x86\xdd" + packet)

    def _say(self, source, destination, kind, flags, target, option, link_layer):
        text = struct.pack("!BBHI", kind, 0, 0, flags << 24) + spoof.packed(target)
        if option:
            text += bytes([option, 1]) + self.link_layer
        value = spoof.checksum(source, destination, spoof.ICMPV6, text)
        packet = spoof.ipv6(source, destination, spoof.ICMPV6, text[:2] + struct.pack("!H", value) + text[4:])
        self.send(packet[:7] + b"\xff" + packet[8:], link_layer)

    def ask(self, target, alone=False):
        """Who has it? alone: asks the home agent alone, as somebody who checks whether it is still there."""
        to = target if alone else group_of(target)
        self._say(self.address, to, SOLICITATION, 0, target, 1, self.agent_link_layer if alone else multicast(to))

    def test(self, target):
        """Duplicate address detection."""
        to = group_of(target)
        self._say("::", to, SOLICITATION, 0, target, None, multicast(to))

    def claim(self, target):
        self._say(self.address, ALL_NODES, ADVERTISEMENT, OVERRIDE, target, 2, multicast(ALL_NODES))

    def answer(self, frame, target):
        """If this asks who has the address: that it is ours."""
        told = read(frame)
        if told and told.kind == SOLICITATION and told.target == target and told.source != "::":
            self._say(target, told.source, ADVERTISEMENT, SOLICITED | OVERRIDE, target, 2, told.link_layer)

    def heard(self, target, destination, flags, timeout=20):
        """The next advertisement of that address by somebody else, None if there is none."""
        for arrived, frame in self.tap.frames(timeout * PATIENCE_FACTOR):
            told = read(frame) if arrived else None
            if told and told[0] == ADVERTISEMENT and told[2:5] == (destination, flags, target):
                return told
        return None
