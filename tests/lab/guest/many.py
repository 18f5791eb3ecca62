"""Many mobile nodes with manual keys in one thread: their updates are put under ESP here, the answers opened here. They
are in namespace `cn`, behind a prefix that only the way back needs, since answers are read from its link."""

import hashlib
import json
import select
import socket
import struct
import threading
import time
from collections import namedtuple

import attack
import esp
import ordering
import spoof
import wire
from lab import HOME_AGENT, NODES, enter, run

CARE_OF_PREFIX = "2001:db8:a5:"
FIRST_SPI = 0x1000  # two for each node
LIFETIME = 250  # units of 4 s
ACCEPTED = 0

Node = namedtuple("Node", "index name home_address spi_in spi_out")  # in, out: of the home agent


def node(index):
    return Node(index, f"node{index}", f"2001:db8:1::5:{index + 1:x}", FIRST_SPI + 2 * index, FIRST_SPI + 2 * index + 1)


def key(spi, purpose):
    return hashlib.sha256(f"{purpose} {spi}".encode()).hexdigest()


def care_of(one, number):
    """Another one for each number: what is stored of number and care-of address must be of one update."""
    return f"{CARE_OF_PREFIX}:{number % 2 + 1:x}:{one.index + 1:x}"


def key_files(folder, count):
    """Their files, and the nodes as NODES has them for the home agent's configuration."""
    folder.mkdir(exist_ok=True)
    found = {}
    for one in map(node, range(count)):
        path = folder / f"{one.name}.keys"
        path.write_text("".join(f"[{section}]\nspi = {spi:#x}\nencryption = aes-cbc\nencryption-key = {key(spi, 'cipher')}\n"
                                f"integrity = hmac-sha-256\nintegrity-key = {key(spi, 'integrity')}\n"
                                for section, spi in (("to-home-agent", one.spi_in), ("to-node", one.spi_out))),
                        encoding="utf-8")
        path.chmod(0o640)
        found[one.name] = {"name": one.name, "home_address": one.home_address, "manual_keys": path}
    return found


def take_the_place_of_the_others(nodes):
    NODES.clear()
    NODES.update(nodes)


def sealed(one, number, lifetime=LIFETIME):
    """The node's update with this number, from the IPv6 header on."""
    at = care_of(one, number)
    body = struct.pack("!HHH", number, 0xC000, lifetime) + b"\1\0" + b"\3\x10" + spoof.packed(at)
    message = spoof.mobility(one.home_address, HOME_AGENT, spoof.UPDATE, body)
    state = one.spi_in, key(one.spi_in, "cipher"), bytes.fromhex(key(one.spi_in, "integrity")), 0
    # Manual keys have no window against replays: the number of ESP does not matter, that of the update does.
    under = attack.seal(state, number, spoof.MOBILITY, message)
    return attack.under_option(at, HOME_AGENT, one.home_address, attack.ESP, under)


class Nodes:
    """sent, acknowledged: the last number of each node; packets: what was sent, by node and number. journal: a file that
    has all of it before it is on its way, for what comes after a power cut."""

    def __init__(self, count, journal=None):
        self.all = [node(index) for index in range(count)]
        self.by_spi = {one.spi_out: one for one in self.all}
        self.known = {one.spi_out: key(one.spi_out, "cipher") for one in self.all}
        self.journal = journal
        self.sent, self.acknowledged, self.packets, self.waiting, self.sent_at = {}, {}, {}, set(), {}
        self.times = []  # from an update to its acknowledgement, of all that were
        self.refusals = []  # (node, status, number)
        self.busy = False
        self._recall()
        run("ip", "-n", "core", "route", "add", f"{CARE_OF_PREFIX}:/64", "via", "2001:db8:f4::2")
        self.raw = attack.socket_in("cn", socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_RAW)
        self.lock = threading.Lock()
        threading.Thread(target=self._listen, daemon=True).start()

    def _recall(self):
        for line in self.journal.read_text(encoding="utf-8").splitlines() if self.journal and self.journal.exists() else []:
            told = json.loads(line)
            for index, number, packet in told.get("sent", []):
                self.sent[index] = number
                self.packets[index, number] = bytes.fromhex(packet)
            for index, number in told.get("acknowledged", []):
                self.acknowledged[index] = number

    def _note(self, what, entries):
        if self.journal and entries:
            ordering.append(self.journal, json.dumps({what: entries}) + "\n")

    def send(self, nodes):
        """The next update of each of them."""
        with self.lock:
            fresh = []
            for one in nodes:
                number = (self.sent.get(one.index, 1000 * one.index % 65536) + 1) & 0xFFFF
                self.packets[one.index, number] = sealed(one, number)
                self.sent[one.index] = number
                fresh.append((one.index, number))
            self._note("sent", [(index, number, self.packets[index, number].hex()) for index, number in fresh])
            self.waiting |= {index for index, _ in fresh}
            for index, number in fresh:
                self.sent_at[index] = time.monotonic()
                self.raw.sendto(self.packets[index, number], (HOME_AGENT, 0))

    def send_again(self, entries):
        """Packets that were sent before, bit for bit; entries: (node's index, number)."""
        for entry in entries:
            self.raw.sendto(self.packets[entry], (HOME_AGENT, 0))

    def _listen(self):
        enter("cn")
        tap = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(attack.ETH_P_IPV6))
        tap.bind(("wan", attack.ETH_P_IPV6))
        tap.setsockopt(socket.SOL_SOCKET, 33, 1 << 22)  # SO_RCVBUFFORCE
        while True:
            select.select([tap], [], [])
            fresh = []
            for _ in range(len(self.all)):
                try:
                    frame = tap.recv(2048, socket.MSG_DONTWAIT)
                except BlockingIOError:
                    break
                fresh += self._answer(frame)
            self._note("acknowledged", [(one.index, self.acknowledged[one.index]) for one in fresh])
            if self.busy and fresh:
                self.send(fresh)

    def _answer(self, frame):
        """The node whose outstanding update this acknowledges, if there is one."""
        told = wire.parse(0, "cn", frame)
        one = self.by_spi.get(told.spi) if told else None
        length = esp.IPV6_HEADER + struct.unpack_from("!H", frame, 18)[0]
        plain = esp.opened(frame[14:14 + length], self.known) if one else None
        text = esp.message(plain) if plain else None
        if text is None or text[2] != spoof.ACKNOWLEDGEMENT:
            return []
        status, _, number = struct.unpack_from("!BBH", text, 6)
        if status != ACCEPTED:
            self.refusals.append((one.name, status, number))
            return []
        if number != self.sent.get(one.index) or one.index not in self.waiting:
            return []
        self.times.append(time.monotonic() - self.sent_at[one.index])
        self.acknowledged[one.index] = number
        self.waiting.discard(one.index)
        return [one]

    def work(self):
        """Update after update of all of them until rest() is called."""
        self.busy = True
        self.send(self.all)

    def rest(self):
        """No further updates; returns when what was on its way has arrived."""
        self.busy = False
        count = None
        while count != (count := (len(self.times), len(self.refusals))):
            time.sleep(0.1)
