"""A node that the lab plays itself: mobility messages made by hand under security associations set by hand, from
wherever it likes, and the answers opened with their keys. Neither mnd nor charon has a part in it."""

import re
import struct
from collections import namedtuple

import attack
import common
import esp
import spoof
import wire
from lab import HOME_AGENT, NODES, PATIENCE_FACTOR, program, run

A, H, L, K = 0x80, 0x40, 0x20, 0x10  # flags of a Binding Update
PAD_TO_OPTION = b"\1\0"  # the alternate care-of address option begins at 8n+6

# lifetime: in units of 4 s. through: the care-of address that it came through, None if it came straight. tunnelled: it
# was inside another packet.
Answer = namedtuple("Answer", "status k sequence lifetime through tunnelled")


def alternate(care_of):
    return PAD_TO_OPTION + b"\3\x10" + spoof.packed(care_of)


def body_of(sequence, flags, lifetime):
    """Of a Binding Update, but for its options."""
    return struct.pack("!HBBH", sequence & 0xFFFF, flags, 0, lifetime)


def message(source, kind, body, next_header=spoof.NO_NEXT_HEADER, length=None, damage=0):
    """A Mobility Header message to the home agent. length: overrides Header Len; damage: is added to the checksum."""
    padding = -(len(body) + 6) % 8
    body += b"\1" + bytes([padding - 2]) + bytes(padding - 2) if padding > 1 else bytes(padding)
    units = (len(body) + 6) // 8 - 1 if length is None else length
    whole = struct.pack("!BBBBH", next_header, units, kind, 0, 0) + body
    value = (spoof.checksum(source, HOME_AGENT, spoof.MOBILITY, whole) + damage) & 0xFFFF
    return whole[:4] + struct.pack("!H", value) + whole[6:]


class Node:
    """Registers itself in NODES: make it before the home agent's configuration is written."""

    def __init__(self, name, home_address, namespace, interface, at):
        """at: its care-of address, on that interface."""
        self.name, self.home, self.at = name, home_address, at
        path = common.make_keys(name)
        text = path.read_text(encoding="utf-8")
        NODES[name] = {"home_address": home_address, "name": name, "manual_keys": path}
        self.out, self.into = [(int(spi, 16), cipher, bytes.fromhex(integrity), 0) for spi, cipher, integrity in re.findall(
            r"^spi = (\S+)$.*?^encryption-key = (\S+)$.*?^integrity-key = (\S+)$", text, re.MULTILINE | re.DOTALL)]
        self.number, self.last = 0, 0  # of ESP; of its last update that counted
        self.sender, self.tap = attack.Sender(namespace, interface), attack.Tap(namespace, interface)

    def go(self, namespace, interface):
        """From now on it sends and listens here."""
        self.sender, self.tap = attack.Sender(namespace, interface), attack.Tap(namespace, interface)

    def send(self, text, option=True, source=None, protocol=spoof.MOBILITY):
        """option: from its care-of address (or `source`) with home address option; else from its home address."""
        self.number += 1
        sealed = attack.seal(self.out, self.number, protocol, text)
        packet = (attack.under_option(source or self.at, HOME_AGENT, self.home, attack.ESP, sealed) if option else
                  spoof.ipv6(self.home, HOME_AGENT, attack.ESP, sealed))
        self.sender.send(packet, HOME_AGENT)

    def update(self, sequence, lifetime=100, flags=A | H, options=None, option=True, source=None, **header):
        """lifetime: in units of 4 s. options: of the message; else its care-of address. header: see message()."""
        body = body_of(sequence, flags, lifetime)
        body += alternate(self.at) if options is None else options
        self.send(message(self.home, spoof.UPDATE, body, **header), option, source)

    def answer(self, timeout=20, meanwhile=None):
        """The next acknowledgement, None if none comes. meanwhile(frame): is given what else passes."""
        for _, frame in self.tap.frames(timeout * PATIENCE_FACTOR):
            if found := self._read(frame[14:]):
                return found
            if meanwhile:
                meanwhile(frame)
        return None

    def _read(self, packet, tunnelled=False):
        told = wire.parse(0, "", bytes(12) + b"\x86\xdd" + packet)
        if told is None:
            return None
        if told.protocol == wire.IPV6 and not tunnelled:
            return self._read(packet[40:], True)
        if told.spi != self.into[0] or told.source != HOME_AGENT:
            return None
        _, text = esp.decrypt(told.payload, self.into[1])
        if text[2] != spoof.ACKNOWLEDGEMENT:
            return None
        status, flags, sequence, lifetime = struct.unpack_from("!BBHH", text, 6)
        # With a type 2 routing header the care-of address is in the IPv6 header.
        through = told.destination if told.routing else None
        return Answer(status, bool(flags & 0x80), sequence, lifetime, through, tunnelled)


def keys_are_new(lab, *names):
    """The stopped home agent takes the manual keys of these nodes as never used; a node without that is refused."""
    config = lab.agent_config()
    for name in names:
        run(program("mip6-ha"), "--config", str(config), "--keys-are-new", name, namespace="ha")
