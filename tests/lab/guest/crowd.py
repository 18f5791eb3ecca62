"""A home agent with very many nodes: their secrets and a database in which all of them are bound, made on this machine;
and payload of each of them, looked at where it arrives. Their care-of addresses are all in namespace `cn`."""

import contextlib
import json
import select
import socket
import sqlite3
import struct
import subprocess
import tempfile
import time
from collections import namedtuple
from pathlib import Path

import attack
import many
import spoof
from lab import CORRESPONDENT, HOME_AGENT, OUT, inside, program, run, wait_for
from spoof import packed

CARE_OF_PREFIX = "2001:db8:a6:"
FIRST_REQID = 627500
SECRETS = OUT / "secrets"
ADDED = OUT / "added.json"  # what `mip6-ha add --from` takes on this machine
GROWING = 10  # nodes that a home agent has before thousands more are added
IN_FLIGHT = 64  # as many packets at once as every queue on the way has room for
IN_A_FILE = 1000
NO_NEXT_HEADER, TUNNEL = 59, 41
IKE_AUTH, SO_TIMESTAMPNS = 35, 35

Other = namedtuple("Other", "name home_address care_of secret")


def others(count):
    return [Other(f"other{index}", f"2001:db8:1::7:{index + 1:x}", f"{CARE_OF_PREFIX}:{index + 1:x}", SECRETS / f"{index}")
            for index in range(count)]


def prepare(sizes, more=0):
    """`sizes`: of the home agents, each with two nodes that are not bound; a database for each of them. more: secrets."""
    SECRETS.mkdir()
    for index, one in enumerate(others(max(sizes) + more)):
        one.secret.touch(mode=0o600)
        one.secret.write_text(f"a secret of node {index} that is long enough\n", encoding="utf-8")
    for size in sizes:
        prepare_database(size, state_directory(size))
    prepare_database(GROWING, state_directory("growing"))
    time_add(max(sizes))


def state_directory(size):
    return OUT / f"state{size}"


def table(path, count):
    """Of that many new nodes, for `mip6-ha add --from`; their names."""
    names = [f"phone{index}" for index in range(count)]
    path.write_text("".join(f"{name}\n" for name in names), encoding="utf-8")
    return names


def time_add(count):
    """On this machine, without a home agent that runs."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "state").mkdir(mode=0o700)
        (folder / "mip6-ha.conf").write_text(
            f"address = {HOME_AGENT}\ninterface = home\nprefix = 2001:db8:1::/64\nstate-directory = {folder}/state\n"
            f"control-socket = {folder}/control\n", encoding="utf-8")
        names, begin = table(folder / "table", count), time.monotonic()
        subprocess.run([program("mip6-ha"), "--config", f"{folder}/mip6-ha.conf", "add", "--from", f"{folder}/table"],
                       check=True, stdout=subprocess.DEVNULL)
        seconds = time.monotonic() - begin
        made = {path.stem for path in (folder / "nodes.d").iterdir() if path.suffix == ".conf"}
    ADDED.write_text(json.dumps({"seconds": round(seconds, 1), "all": made == set(names)}), encoding="utf-8")


def prepare_database(size, state):
    """As a home agent left it with all of them bound; made by itself, filled here. One more, with manual keys, is new."""
    config = state.with_suffix(".conf")
    state.mkdir(mode=0o700)
    keys = many.key_files(OUT / "keys", 1)["node0"]
    config.write_text(f"address = {HOME_AGENT}\ninterface = home\nprefix = 2001:db8:1::/64\nstate-directory = {state}\n"
                      + section_of(keys), encoding="utf-8")
    subprocess.run([program("mip6-ha"), "--config", str(config), "--keys-are-new", "node0"], check=True,
                   stdout=subprocess.DEVNULL)
    until = int(time.time()) + 36000
    with contextlib.closing(sqlite3.connect(state / "agent.db")) as database, database:
        for index, one in enumerate(others(size - 2)):
            database.execute("INSERT INTO nodes (name, home_address, reqid) VALUES (?, ?, ?)",
                             (one.name, packed(one.home_address), FIRST_REQID + 100 + index))
            database.execute("INSERT INTO bindings (home_address, care_of, sequence, key_mobility, granted, expires_unix, "
                             "link_local) VALUES (?, ?, 1, 1, 36000, ?, 0)",
                             (packed(one.home_address), packed(one.care_of), until))


def section_of(keys):
    return f"[node {keys['name']}]\nhome-address = {keys['home_address']}\nmanual-keys = {keys['manual_keys']}\n"


def write_sections(folder, count):
    """All others and the one with manual keys; a file of the configuration has a megabyte at most."""
    folder.mkdir(exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    everybody = others(count)
    for at in range(0, count, IN_A_FILE):
        (folder / f"{at}.conf").write_text("".join(
            f"[node {one.name}]\nhome-address = {one.home_address}\nidentity = {one.name}@example.org\n"
            f"secret-file = {one.secret}\n" for one in everybody[at:at + IN_A_FILE]), encoding="utf-8")
    (folder / "node0.conf").write_text(section_of(many.key_files(OUT / "keys", 1)["node0"]), encoding="utf-8")


class Payload:
    """Packets to and from all of them, sent and received in namespace `cn`."""

    def __init__(self, count):
        self.all = others(count)
        run("ip", "-n", "core", "route", "replace", f"{CARE_OF_PREFIX}:/64", "via", CORRESPONDENT)
        self.raw = attack.socket_in("cn", socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_RAW)
        self.tap = attack.socket_in("cn", socket.AF_PACKET, socket.SOCK_RAW, socket.htons(attack.ETH_P_IPV6))
        self.tap.bind(("wan", attack.ETH_P_IPV6))
        self.tap.setsockopt(socket.SOL_SOCKET, 33, 1 << 24)  # SO_RCVBUFFORCE

    def to_nodes(self):
        """{home address: care-of addresses that its packet was tunnelled to}."""
        def tunnelled(frame):
            return frame[20] == TUNNEL and frame[14 + 8:14 + 24] == packed(HOME_AGENT) and \
                (frame[54 + 24:54 + 40], frame[14 + 24:14 + 40])
        return self._exchange([(packed(one.home_address), spoof.ipv6(CORRESPONDENT, one.home_address, NO_NEXT_HEADER, b"here"),
                                one.home_address) for one in self.all], tunnelled)

    def from_nodes(self, shift=0):
        """{home address: ...} of the packets that were forwarded; shift: which other's address they have within the
        tunnel, 0: the own one."""
        def forwarded(frame):
            return frame[20] == NO_NEXT_HEADER and frame[14 + 24:14 + 40] == packed(CORRESPONDENT) and \
                (frame[14 + 8:14 + 24], b"")
        packets = []
        for index, one in enumerate(self.all):
            source = self.all[(index + shift) % len(self.all)].home_address
            within = spoof.ipv6(source, CORRESPONDENT, NO_NEXT_HEADER, b"there")
            packets.append((packed(source), spoof.ipv6(one.care_of, HOME_AGENT, TUNNEL, within), HOME_AGENT))
        return self._exchange(packets, forwarded, attempts=1 if shift else 3)

    def _exchange(self, packets, seen, attempts=3):
        """What `seen` makes of the frames that arrive, as {key: set of values}; what does not arrive is sent again."""
        found = {}
        for _ in range(attempts):
            missing = [one for one in packets if one[0] not in found]
            for at in range(0, len(missing), IN_FLIGHT):
                sent = missing[at:at + IN_FLIGHT]
                for _, packet, destination in sent:
                    self.raw.sendto(packet, (destination, 0))
                self._collect(found, seen, {key for key, _, _ in sent})
        self._collect(found, seen, set(), 0.5)
        return found

    def _collect(self, found, seen, awaited, at_least=0.0):
        end = time.monotonic() + max(at_least, 0.3 if awaited else 0)
        while (awaited - found.keys() or at_least) and (left := end - time.monotonic()) > 0:
            if select.select([self.tap], [], [], left)[0]:
                told = seen(self.tap.recv(2048))
                if told:
                    found.setdefault(told[0], set()).add(told[1])

    def close(self):
        self.raw.close()
        self.tap.close()


class Routes:
    """The tunnels' routes that are new in the home agent's kernel: how many, and when the first and the last was there."""

    def __init__(self):
        self.count, self.first, self.last = 0, None, None
        self.heard = inside("ha", lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0))
        self.heard.setsockopt(socket.SOL_SOCKET, 33, 1 << 26)  # SO_RCVBUFFORCE
        self.heard.bind((0, 1 << 10))  # RTMGRP_IPV6_ROUTE

    def wait(self, count, timeout, alive):
        wait_for(lambda: self._read() >= count or not alive(), timeout, 0.2)
        self.heard.close()

    def _read(self):
        while select.select([self.heard], [], [], 0)[0]:
            data, now = self.heard.recv(1 << 16), time.monotonic()
            while len(data) >= 16:
                length, kind = struct.unpack_from("=IH", data)
                if kind == 24 and data[17] == 128:  # RTM_NEWROUTE, of a /128
                    self.count, self.first, self.last = self.count + 1, self.first or now, now
                data = data[(length + 3) & ~3:]
        return self.count


class Stamped:
    """Frames of an interface with the time at which the kernel had them: who reads them may be late."""

    def __init__(self, namespace, interface):
        self.socket = attack.socket_in(namespace, socket.AF_PACKET, socket.SOCK_RAW, socket.htons(attack.ETH_P_ALL))
        self.socket.bind((interface, attack.ETH_P_ALL))
        self.socket.setsockopt(socket.SOL_SOCKET, 33, 1 << 24)  # SO_RCVBUFFORCE
        self.socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)

    def frames(self):
        """(time, frame) of all IPv6 that has passed since the last call."""
        while select.select([self.socket], [], [], 0)[0]:
            frame, more, _, _ = self.socket.recvmsg(2048, 64)
            if frame[12:14] == b"\x86\xdd":
                seconds, nanoseconds = struct.unpack_from("=qq", more[0][2])
                yield seconds + nanoseconds * 1e-9, frame

    def times(self, is_request, is_answer):
        """Milliseconds from each request to the next answer; of several requests in a row the first counts."""
        found, asked = [], None
        for now, frame in self.frames():
            if is_request(frame):
                asked = asked or now
            elif asked and is_answer(frame):
                found.append((now - asked) * 1000)
                asked = None
        return found


AT_CN = packed(many.CARE_OF_PREFIX + ":")[:8]


def is_update(frame):
    """Of the node with manual keys: nothing else comes from there."""
    return frame[22:30] == AT_CN


def is_acknowledgement(frame):
    return frame[38:46] == AT_CN


def is_ike_auth(frame, response):
    if frame[20] != 17 or len(frame) < 94:
        return False
    at = 62 + (4 if 4500 in struct.unpack_from("!HH", frame, 54) else 0)
    return frame[at + 18] == IKE_AUTH and bool(frame[at + 19] & 0x20) == response
