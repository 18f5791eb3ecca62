"""What an attacker needs that spoof.py has not: sockets in any namespace from one process, messages under a node's real
security association, ESP made with stolen keys, frames taken from a link and put back."""

import hashlib
import hmac
import os
import re
import select
import socket
import struct
import time

import common
import esp
import spoof
import wire
from lab import RUN, ask, inside, run, wait_for

ETH_P_ALL, ETH_P_IPV6 = 0x0003, 0x86DD
IPV6_CHECKSUM = 7
REFRESH_REQUEST = 0
ESP = 50


# --- sockets ---
def socket_in(namespace, *arguments):
    """A socket that belongs to a namespace, whoever uses it: made by a thread that was there."""
    return inside(namespace, lambda: socket.socket(*arguments))


class Sender:
    """Whole packets from a namespace, header and all, in the clear: no policy sees their protocol. interface: the link
    that they leave by, for a namespace whose routes lead into a tunnel."""

    def __init__(self, namespace, interface=None):
        self.socket = socket_in(namespace, socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_RAW)
        if interface:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode())

    def send(self, packet, destination, count=1, pause=0.01):
        for _ in range(count):
            self.socket.sendto(packet, (destination, 0))
            time.sleep(pause)


class Speaker:
    """Mobility Header messages from an address of a namespace: the kernel's policies put them under the real security
    association, as they do with those of the daemon there."""

    def __init__(self, namespace, address, peer):
        self.socket = socket_in(namespace, socket.AF_INET6, socket.SOCK_RAW, spoof.MOBILITY)
        self.socket.setsockopt(socket.IPPROTO_IPV6, IPV6_CHECKSUM, 4)
        self.socket.bind((address, 0))
        self.peer = peer

    def say(self, kind, body):
        assert (len(body) + 6) % 8 == 0
        message = struct.pack("!BBBBH", spoof.NO_NEXT_HEADER, (len(body) + 6) // 8 - 1, kind, 0, 0) + body
        self.socket.sendto(message, (self.peer, 0))

    def update(self, sequence, care_of, lifetime=100, flags=0xD000):
        self.say(spoof.UPDATE, struct.pack("!HHH", sequence & 0xFFFF, flags, lifetime) + b"\1\0" + b"\3\x10" +
                 spoof.packed(care_of))

    def acknowledgement(self, sequence, status=0, lifetime=100, k=True):
        self.say(spoof.ACKNOWLEDGEMENT, struct.pack("!BBHH", status, 0x80 if k else 0, sequence & 0xFFFF, lifetime) +
                 b"\1\2\0\0")

    def refresh_request(self):
        self.say(REFRESH_REQUEST, b"\0\0")

    def heard(self, kind, timeout):
        """Bodies of the messages of this kind that arrive within the time."""
        end = time.monotonic() + timeout
        while (left := end - time.monotonic()) > 0:
            if not select.select([self.socket], [], [], left)[0]:
                return
            data, origin = self.socket.recvfrom(2048)
            if origin[0] == self.peer and len(data) >= 12 and data[2] == kind:
                yield data[6:]

    def drain(self):
        for _ in range(1000):
            if not select.select([self.socket], [], [], 0)[0]:
                return
            self.socket.recv(2048)


class Tap:
    """Frames of an interface, as they pass."""

    def __init__(self, namespace, interface):
        self.socket = socket_in(namespace, socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        self.socket.bind((interface, ETH_P_ALL))
        self.socket.setsockopt(socket.SOL_SOCKET, 33, 1 << 22)  # SO_RCVBUFFORCE: read when the scenario has the time

    def passed(self, pause):
        """Frames of all that has passed by the end of the pause, however much."""
        time.sleep(pause)
        while select.select([self.socket], [], [], 0)[0]:
            yield self.socket.recv(4096)

    def ike(self, pause):
        """IKE packets, as wire.parse() tells them, of all that have passed by the end of the pause, however many."""
        told = [wire.parse(0, "tap", frame) for frame in self.passed(pause)]
        return [packet for packet in told if packet and wire.is_ike(packet)]

    def frames(self, timeout, wanted=lambda frame: True):
        """(arrived, frame) of those wanted within the time."""
        end = time.monotonic() + timeout
        while (left := end - time.monotonic()) > 0:
            if not select.select([self.socket], [], [], left)[0]:
                return
            data, origin = self.socket.recvfrom(4096)
            if data[12:14] == b"\x86\xdd" and wanted(data):
                yield origin[2] != socket.PACKET_OUTGOING, data


# --- ESP with stolen keys ---
def states(namespace):
    """{(source, destination): [(SPI, encryption key, authentication key, numbers sent)]}, the newest first."""
    text = run("ip", "-s", "xfrm", "state", namespace=namespace)
    found = {}
    for block in re.split(r"\n(?=src )", text):
        ends = re.match(r"src (\S+) dst (\S+)", block)
        spi = re.search(r"proto esp spi (0x[0-9a-f]+)", block)
        cipher = re.search(r"enc cbc\(aes\) 0x([0-9a-f]+)", block)
        integrity = re.search(r"auth-trunc hmac\(sha256\) 0x([0-9a-f]+) (?:\(256 bits\) )?128", block)
        sent = re.search(r"oseq 0x([0-9a-f]+)", block)
        if ends and spi and cipher and integrity:
            found.setdefault(ends.groups(), []).append(
                (int(spi[1], 16), cipher[1], bytes.fromhex(integrity[1]), int(sent[1], 16) if sent else 0))
    return found


def seal(state, number, next_header, text):
    """An ESP packet with that number."""
    spi, cipher, integrity, _ = state
    padding = -(len(text) + 2) % 16
    text += bytes(range(1, padding + 1)) + bytes([padding, next_header])
    vector = os.urandom(16)
    packet = struct.pack("!II", spi, number) + vector + esp.cbc(cipher, vector, text, True)
    return packet + hmac.new(integrity, packet, hashlib.sha256).digest()[:16]


def under_option(care_of, agent, home_address, protocol, payload):
    """A packet from the care-of address with home address option."""
    return spoof.ipv6(care_of, agent, spoof.DSTOPTS, spoof.home_address_option(home_address, protocol) + payload)


class Tunnel:
    """Packets in an SA of tunnel mode, made by the lab with the newest keys from `source` to `destination` of a namespace,
    and with numbers that its kernel would use next."""

    def __init__(self, namespace, source, destination, interface):
        self.ends = source, destination
        self.state = states(namespace)[self.ends][0]
        self.used = 0
        self.sender = Sender(namespace, interface)
        # Else the kernel may choose the home address, and put what the lab has sealed under the real SA.
        self.sender.socket.bind((source, 0))

    def send(self, source, destination, count=1):
        """Echo requests with "forged" in them, from and to any inner address."""
        for _ in range(count):
            self.used += 1
            inner = spoof.ipv6(source, destination, spoof.ICMPV6, spoof.echo(source, destination))
            sealed = seal(self.state, self.state[3] + self.used, spoof.IPV6, inner)
            self.sender.send(spoof.ipv6(*self.ends, ESP, sealed), self.ends[1])


# --- what the programs tell ---
def agent_status():
    return ask(RUN / "ha.control", "status")


def counted(status):
    """All counters of a status as {name: number}, those by reason as "group/reason"."""
    found = {}
    for name, value in status.get("counters", {}).items():
        if isinstance(value, dict):
            found.update({f"{name}/{reason}": count for reason, count in value.items()})
        elif value is not None:
            found[name] = value
    return found


def more(before, after):
    """What has grown, and by how much."""
    return {name: count - before.get(name, 0) for name, count in after.items() if count != before.get(name, 0)}


def entry(name):
    """A node's line of `mip6-ha list`."""
    return next((one for one in agent_status().get("bindings", []) if one["name"] == name), {})


def refused(lab, what, side, counter, attempt, count=3, wait=0.3, harmless=()):
    """The attempt is counted at least `count` times under that name by the home agent (side "ha") or by a node, and
    changes no binding and no registration. harmless: counters that may grow beside."""
    def seen():
        return counted(agent_status() if side == "ha" else lab.status(side))
    before, where = seen(), (common.agent_route(), lab.registered_at("mn"))
    attempt()
    wait_for(lambda: more(before, seen()).get(counter, 0) >= count, 3, 0.1)
    time.sleep(wait)
    grown, now = more(before, seen()), (common.agent_route(), lab.registered_at("mn"))
    moved = {"accepted", "acknowledged", "updates_sent", "refused"} & grown.keys() - set(harmless)
    lab.check(f"{what} is refused and counted as {counter}", grown.get(counter, 0) >= count and not moved and
              all(where) and now == where, f"{grown}, {where} -> {now}")
