"""A small VICI client: what the lab asks charon itself, from outside of the programs under test."""

import socket
import struct
import threading
import time
from pathlib import Path

SECTION_START, SECTION_END, KEY_VALUE, LIST_START, LIST_ITEM, LIST_END = range(1, 7)
(CMD_REQUEST, CMD_RESPONSE, CMD_UNKNOWN, EVENT_REGISTER, EVENT_UNREGISTER, EVENT_CONFIRM, EVENT_UNKNOWN,
 EVENT) = range(8)


def _named(kind, name):
    return bytes([kind, len(name)]) + name.encode()


def encode(message):
    out = b""
    for key, value in message.items():
        if isinstance(value, dict):
            out += _named(SECTION_START, key) + encode(value) + bytes([SECTION_END])
        elif isinstance(value, list):
            items = b"".join(bytes([LIST_ITEM]) + struct.pack("!H", len(i)) + i.encode() for i in value)
            out += _named(LIST_START, key) + items + bytes([LIST_END])
        else:
            data = str(value).encode()
            out += _named(KEY_VALUE, key) + struct.pack("!H", len(data)) + data
    return out


def decode(data):
    root = {}
    stack, at, current_list = [root], 0, None

    def name():
        nonlocal at
        length = data[at]
        at += 1 + length
        return data[at - length:at].decode()

    def value():
        nonlocal at
        (length,) = struct.unpack_from("!H", data, at)
        at += 2 + length
        return data[at - length:at].decode(errors="replace")

    while at < len(data):
        kind = data[at]
        at += 1
        if kind == SECTION_START:
            child = {}
            stack[-1][name()] = child
            stack.append(child)
        elif kind == SECTION_END:
            stack.pop()
        elif kind == KEY_VALUE:
            key = name()
            stack[-1][key] = value()
        elif kind == LIST_START:
            current_list = stack[-1].setdefault(name(), [])
        elif kind == LIST_ITEM:
            current_list.append(value())
    return root


class Vici:
    def __init__(self, path, timeout=5):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(timeout)
        self.socket.connect(str(path))

    def close(self):
        self.socket.close()

    def _send(self, packet):
        self.socket.sendall(struct.pack("!I", len(packet)) + packet)

    def _read(self, count):
        data = b""
        while len(data) < count:
            part = self.socket.recv(count - len(data))
            if not part:
                raise ConnectionError("charon closed the connection")
            data += part
        return data

    def receive(self):
        (length,) = struct.unpack("!I", self._read(4))
        packet = self._read(length)
        if packet[0] == EVENT:
            size = packet[1]
            return EVENT, packet[2:2 + size].decode(), decode(packet[2 + size:])
        return packet[0], None, decode(packet[1:])

    def call(self, command, message=None):
        self._send(_named(CMD_REQUEST, command) + encode(message or {}))
        while True:
            kind, _, answer = self.receive()
            if kind == CMD_RESPONSE:
                return answer
            if kind == CMD_UNKNOWN:
                raise ValueError(f"charon does not know {command}")

    def register(self, event, on=True):
        self._send(_named(EVENT_REGISTER if on else EVENT_UNREGISTER, event))
        while True:
            kind, _, _ = self.receive()
            if kind == EVENT_CONFIRM:
                return
            if kind == EVENT_UNKNOWN:
                raise ValueError(f"charon does not know the event {event}")

    def streamed(self, command, event):
        """A command that answers by events, such as list-sas: the list of (name, section)."""
        self.register(event)
        self._send(_named(CMD_REQUEST, command))
        found = []
        while True:
            kind, name, answer = self.receive()
            if kind == EVENT and name == event:
                found += answer.items()
            elif kind == CMD_RESPONSE:
                break
        self.register(event, on=False)
        return found


def ask(path, command, message=None):
    client = Vici(path)
    try:
        return client.call(command, message)
    finally:
        client.close()


def ike_sas(path):
    """IKE_SAs of this charon: dictionaries as VICI gives them, with the connection's name as `connection`."""
    client = Vici(path)
    try:
        return [dict(section, connection=name) for name, section in client.streamed("list-sas", "list-sa")]
    finally:
        client.close()


def half_open(path):
    """IKE_SAs that are being established; none where there is no charon."""
    return [sa for sa in ike_sas(path) if sa["state"] == "CONNECTING"] if Path(path).exists() else []


def connections(path):
    """Names of those that are loaded into this charon; none while it does not answer."""
    try:
        return ask(path, "get-conns").get("conns", [])
    except OSError:
        return []


def loaded(path):
    """What is loaded into this charon and what is up, as lines of text."""
    client = Vici(path)
    try:
        lines = ["connection " + name for name in client.call("get-conns").get("conns", [])]
        lines += ["secret " + name for name in client.call("get-shared").get("keys", [])]
        lines += ["private key " + name for name in client.call("get-keys").get("keys", [])]
        lines += ["authority " + name for name in client.call("get-authorities").get("authorities", [])]
        lines += ["pool " + name for name in client.call("get-pools")]
        lines += [f"IKE_SA {name} {sa['state']}" for name, sa in client.streamed("list-sas", "list-sa")]
        return lines
    finally:
        client.close()


def certificates(path):
    """What charon has of certificates, as (flag, private key there, PEM or DER as text that tells them apart)."""
    client = Vici(path)
    try:
        client.register("list-cert")
        client._send(_named(CMD_REQUEST, "list-certs") + encode({"type": "ANY", "flag": "ANY"}))
        found = []
        while True:
            kind, _, answer = client.receive()
            if kind == CMD_RESPONSE:
                return found
            if kind == EVENT:
                found.append((answer.get("flag"), answer.get("has_privkey") == "yes", answer.get("data", "")))
    finally:
        client.close()


class Watch(threading.Thread):
    """Remembers ike-updown and child-updown events with the time of their arrival."""

    def __init__(self, path):
        super().__init__(daemon=True)
        self.client = Vici(path)
        for event in ("ike-updown", "child-updown", "ike-rekey", "child-rekey"):
            self.client.register(event)
        self.client.socket.settimeout(None)
        self.events = []  # (time, event, up, connection, section)
        self.start()

    def run(self):
        try:
            while True:
                _, event, message = self.client.receive()
                up = message.get("up") == "yes"
                for name, section in message.items():
                    if isinstance(section, dict):
                        self.events.append((time.time(), event, up, name, section))
        except (ConnectionError, OSError):
            pass


def rekeyed(watch, child):
    """Inbound SPIs that re-keys of the CHILD_SA of this name have made."""
    return [int(section["child-sas"][child]["new"]["spi-in"], 16) for _, event, _, _, section in watch.events
            if event == "child-rekey" and child in section.get("child-sas", {})]
