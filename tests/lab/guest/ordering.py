"""Sequence numbers as they are seen on the wire: a recorder that has each protected message at once, what was in it, and
old packets sent once more."""

import json
import os
import socket
import struct
import threading
import time
from collections import namedtuple
from pathlib import Path

import esp
import lab as the_lab
import wire
from lab import HOME_ADDRESS, HOME_AGENT, RUN, ask

UPDATE, ACKNOWLEDGEMENT = 5, 6
PATIENCE = 15  # what is to happen at once is told by the counters, not by the clock
# packet: from the IPv6 header on.
Seen = namedtuple("Seen", "time link packet spi update")
# status: of an acknowledgement, None in an update.
Opened = namedtuple("Opened", "time spi number status lifetime")


class Recorder:
    """Protected updates and acknowledgements as they pass interfaces, at once: tcpdump writes once a second.
    journal: a file that gets each of them as soon as it is there, for what comes after a power cut. when_seen: is called
    with each, by a thread of its own."""

    def __init__(self, links, journal=None, when_seen=None):
        self.seen = []
        self.journal = journal
        self.when_seen = when_seen
        for link in links:
            thread = threading.Thread(target=self._run, args=(link, *the_lab.Lab.LINKS[link]), daemon=True)
            thread.ready = threading.Event()
            thread.start()
            thread.ready.wait(5)

    def _run(self, link, namespace, interface):
        the_lab.enter(namespace)  # of this thread alone
        source = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0003))  # ETH_P_ALL: what leaves, too
        source.bind((interface, 0))
        threading.current_thread().ready.set()
        while True:
            frame = source.recv(2048)
            told = wire.parse(time.time(), link, frame)
            if not told or told.protocol != wire.ESP:
                continue
            update = wire.is_update(told, HOME_ADDRESS, HOME_AGENT)
            if update or wire.is_acknowledgement(told, HOME_ADDRESS, HOME_AGENT):
                length = esp.IPV6_HEADER + struct.unpack_from("!H", frame, 18)[0]
                self._keep(Seen(told.time, link, frame[14:14 + length], told.spi, update))

    def _keep(self, seen):
        if self.when_seen:
            self.when_seen(seen)
        self.seen.append(seen)
        if self.journal:
            line = json.dumps([seen.time, seen.link, seen.packet.hex(), seen.spi, seen.update]) + "\n"
            append(self.journal, line)

    def updates(self):
        return [one for one in list(self.seen) if one.update]


def append(path, line):
    """hostfs writes at close: what is closed outlasts a power cut."""
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(file, line.encode())
    os.close(file)


def recorded(path):
    """What a Recorder's journal has."""
    lines = Path(path).read_text(encoding="utf-8").splitlines() if Path(path).exists() else []
    return [Seen(at, link, bytes.fromhex(packet), spi, update)
            for at, link, packet, spi, update in (json.loads(line) for line in lines if line.endswith("]"))]


def opened(seen, known):
    """What was in these packets, by time, and the SPIs whose keys are not known."""
    found, unknown = [], set()
    for one in sorted(seen):
        plain = esp.opened(one.packet, known)
        text = esp.message(plain) if plain else None
        if text is None:
            unknown.add(one.spi)
        elif text[2] == UPDATE:
            number, _, lifetime = struct.unpack_from("!HHH", text, 6)
            found.append(Opened(one.time, one.spi, number, None, lifetime))
        elif text[2] == ACKNOWLEDGEMENT:
            status, _, number, lifetime = struct.unpack_from("!BBHH", text, 6)
            found.append(Opened(one.time, one.spi, number, status, lifetime))
    return found, unknown


def ahead(number, last):
    return (number - last) & 0xFFFF


def check_numbers(lab, seen, known, what):
    """No number twice under one key, each one after the one before; the updates and the answers."""
    messages, unknown = opened(seen, known)
    updates = [m for m in messages if m.status is None]
    lab.check(f"{what}: the keys of all messages are known", updates and not unknown, (len(updates), unknown))
    used, twice, back = set(), [], []
    for one in updates:
        if (one.spi, one.number) in used:
            twice.append(one)
        used.add((one.spi, one.number))
    for one, before in zip(updates[1:], updates):
        if one.spi == before.spi and not 1 <= ahead(one.number, before.number) < 32768:
            back.append((before, one))
    lab.check(f"{what}: no number is used twice under one key, none goes back", not twice and not back, (twice, back))
    return updates, [m for m in messages if m.status is not None]


def send_again(seen, namespace="core"):
    """The same packets, bit for bit, from inside the network."""
    def send():
        raw = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_RAW)
        for one in seen:
            raw.sendto(one.packet, (str(wire.address(one.packet[24:40])), 0))
        raw.close()
    the_lab.inside(namespace, send)


def node(command="status"):
    return ask(RUN / "mn.control", command)


def agent():
    """The home agent's counters, and what it holds for the node."""
    said = ask(RUN / "ha.control", "status")
    held = [b for b in said.get("bindings", []) if b["home_address"] == HOME_ADDRESS]
    return said.get("counters", {}), held[0] if held else {}


def ready(lab):
    """Waits for the home agent's control socket; what it holds for the node."""
    return the_lab.wait_for(lambda: lab.alive("ha") and agent()[1], PATIENCE)


def registers():
    """Waits until the node is registered; its status, None if it never is."""
    return the_lab.wait_for(registered, PATIENCE)


def registered():
    """The status of a node that is registered where it is, nothing outstanding; None otherwise."""
    said = node()
    at = said.get("registered_at")
    here = (said.get("attachment") or {}).get("care_of")
    return said if at and at == here and said.get("state") in ("registered", "at home") else None


def refresh(timeout=PATIENCE):
    """Asks for an update; True when it is acknowledged."""
    before = node().get("counters", {}).get("acknowledged")
    node("refresh")
    return the_lab.wait_for(lambda: registered() and node()["counters"]["acknowledged"] != before, timeout, 0.02)
