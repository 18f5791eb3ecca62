"""What the number of nodes costs the kernel and charon: a home agent starts with 10, 1,000 and 10,000 nodes, all but one of
them bound; the figures go to result.json. Payload through the agent, beside a hand-made tunnel and plain forwarding."""

import contextlib
import json
import os
import select
import socket
import sqlite3
import statistics
import struct
import subprocess
import threading
import time

import attack
import common
import kernel
import many
import ordering
import spoof
import vici
from lab import CORRESPONDENT, HERE, HOME_ADDRESS, HOME_AGENT, OUT, RUN, enter, inside, program, run, wait_for
from spoof import packed

SIZES = tuple(int(size) for size in os.environ.get("LAB_SIZES", "10 1000 10000").split())
SECRETS, SPRAY = OUT / "secrets", OUT / "spray"
FIRST_REQID = 627500
FIGURE = {}  # what goes to result.json
IKE_AUTH = 35
PACKETS, SIZE = 20_000, 1000
WANTED_RATIO, GUARD = 1.5, 10  # of the time of an update with the most nodes; a test judges ten times that


def prepare():
    """Secrets, configurations and databases, on this machine."""
    subprocess.run(["cc", "-O2", "-Wall", "-o", str(SPRAY), str(HERE / "guest/spray.c")], check=True)
    SECRETS.mkdir()
    for index in range(max(SIZES)):
        path = SECRETS / f"{index}"
        path.touch(mode=0o600)
        path.write_text(f"a secret of node {index} that is long enough\n", encoding="utf-8")
    for size in SIZES:
        prepare_database(size)


def others(size):
    """(name, home address) of all but the node that is there in the lab."""
    return [(f"other{index}", f"2001:db8:1::7:{index + 1:x}") for index in range(size - 1)]


def prepare_database(size):
    """As a home agent left it with all the others bound; made by itself, filled here."""
    state, config = OUT / f"state{size}", OUT / f"prepare{size}.conf"
    state.mkdir(mode=0o700)
    keys = many.key_files(OUT / "keys", 1)["node0"]
    config.write_text(f"address = {HOME_AGENT}\ninterface = home\nprefix = 2001:db8:1::/64\nstate-directory = {state}\n"
                      f"[node node0]\nhome-address = {keys['home_address']}\nmanual-keys = {keys['manual_keys']}\n",
                      encoding="utf-8")
    subprocess.run([program("mip6-ha"), "--config", str(config), "--keys-are-new", "node0"], check=True,
                   stdout=subprocess.DEVNULL)
    with contextlib.closing(sqlite3.connect(state / "agent.db")) as database, database:
        database.execute("DELETE FROM manual_keys")
        for index, (name, home_address) in enumerate(others(size)):
            database.execute("INSERT INTO nodes (name, home_address, reqid) VALUES (?, ?, ?)",
                             (name, packed(home_address), FIRST_REQID + index))
            database.execute("INSERT INTO bindings (home_address, care_of, sequence, key_mobility, granted, expires_unix, "
                             "link_local) VALUES (?, ?, 1, 1, 36000, ?, 0)",
                             (packed(home_address), packed(f"2001:db8:a6::{index + 1:x}"), int(time.time()) + 36000))


def scenario(lab):
    common.charons(lab, "mn")
    for size in SIZES:
        Size(lab, size).measure()
    sizes = [FIGURE[str(size)] for size in SIZES]
    ratio = sizes[-1]["update_ms"] / sizes[0]["update_ms"]
    FIGURE["update_ratio"] = round(ratio, 2)
    lab.checks.note(f"an update takes {ratio:.2f} times as long with {SIZES[-1]} nodes as with {SIZES[0]}; wanted: below "
                    f"{WANTED_RATIO}")
    lab.check(f"an update does not take {GUARD} times as long with {SIZES[-1]} nodes", ratio < GUARD, FIGURE)
    (OUT / "result.json").write_text(json.dumps(FIGURE, indent=1) + "\n", encoding="utf-8")


class Routes:
    """Counts the routes with a tunnel that are new in the home agent's kernel, and when."""

    def __init__(self):
        self.times = []
        self.ended = False
        ready = threading.Event()
        threading.Thread(target=self._run, args=(ready,), daemon=True).start()
        ready.wait(5)

    def _run(self, ready):
        enter("ha")
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as heard:
            heard.setsockopt(socket.SOL_SOCKET, 33, 1 << 25)  # SO_RCVBUFFORCE
            heard.bind((0, 1 << 10))  # RTMGRP_IPV6_ROUTE
            ready.set()
            while not self.ended:
                if not select.select([heard], [], [], 0.2)[0]:
                    continue
                data, now = heard.recv(1 << 16), time.monotonic()
                while len(data) >= 16:
                    length, kind = struct.unpack_from("=IH", data)
                    self.times += [now] if kind == 24 and data[17] == 128 else []  # RTM_NEWROUTE, of a /128
                    data = data[(length + 3) & ~3:]


class Exchanges:
    """Milliseconds from each IKE_AUTH to its answer at the home agent."""

    def __init__(self):
        self.times = []
        self.ended = False
        self.tap = attack.Tap("ha", "wan")
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        asked = None
        while not self.ended:
            if not select.select([self.tap.socket], [], [], 0.2)[0]:
                continue
            frame, now = self.tap.socket.recv(4096), time.monotonic()
            if frame[20] != 17 or len(frame) < 94:
                continue
            at = 62 + (4 if struct.unpack_from("!H", frame, 56)[0] == 4500 or frame[54:56] == b"\x11\x94" else 0)
            if frame[at + 18] != IKE_AUTH:
                continue
            if not frame[at + 19] & 0x20:  # a request; the first of its fragments
                asked = asked or now
            elif asked:
                self.times.append((now - asked) * 1000)
                asked = None


class Size:
    def __init__(self, lab, size):
        self.lab, self.size, self.found = lab, size, {}
        FIGURE[str(size)] = self.found

    def note(self, name, value):
        self.found[name] = value
        self.lab.checks.note(f"{self.size} nodes: {name} = {value}")

    def measure(self):
        lab, size = self.lab, self.size
        lab.charon("ha")
        self.note("charon_rss_kib_before", lab.usage("charon.ha")["rss_kib"])
        self.start()
        self.ike()
        self.updates()
        if size == SIZES[0]:
            payload(lab)
        self.note("agent_rss_kib", lab.usage("ha")["rss_kib"])
        begin = time.monotonic()
        lab.stop("mnd.mn")
        lab.check(f"{size} nodes: the home agent ends in time", lab.stop("ha", timeout=60) == 0)
        self.note("stop_s", round(time.monotonic() - begin, 2))
        lab.stop("charon.ha")

    def start(self):
        lab, size = self.lab, self.size
        config = lab.agent_config()
        text = config.read_text(encoding="utf-8").replace(f"{lab.state}/ha.state", str(OUT / f"state{size}"))
        text = text.split("[node desk]")[0] + "".join(
            f"[node {name}]\nhome-address = {home_address}\nidentity = {name}@example.org\nsecret-file = {SECRETS / str(index)}\n"
            for index, (name, home_address) in enumerate(others(size)))
        config.write_text(text, encoding="utf-8")
        routes, begin = Routes(), time.monotonic()
        lab.start("ha", "ha", program("mip6-ha"), "--config", str(config))
        there = wait_for(lambda: len(vici.connections(lab.vici_socket("ha"))) == size, 300, 0.5)
        loaded = time.monotonic()
        routes.ended = True
        lab.check(f"{size} nodes: bindings, routes and charon's connections are there", there and
                  len(routes.times) >= size - 1, (len(routes.times), len(vici.connections(lab.vici_socket("ha")))))
        first, last = routes.times[0], routes.times[-1]
        self.note("until_first_route_s", round(first - begin, 2))
        self.note("tunnels_and_routes_per_s", round((len(routes.times) - 1) / max(last - first, 1e-3)))
        self.note("start_until_all_routes_s", round(last - begin, 2))
        self.note("charon_load_s", round(loaded - last, 2))
        self.note("charon_rss_kib", lab.usage("charon.ha")["rss_kib"])

    def ike(self):
        """The median of three: time from the IKE_AUTH to its answer on the home agent's link."""
        exchanges = Exchanges()
        for _ in range(3):
            self.lab.stop("mnd.mn")
            self.lab.node("mn")
            if not self.lab.check(f"{self.size} nodes: a node agrees keys and registers",
                                  self.lab.wait_registered("mn", timeout=40), self.lab.status("mn")):
                break
        exchanges.ended = True
        self.note("ike_auth_ms", round(statistics.median(exchanges.times), 1) if exchanges.times else None)

    def updates(self, count=20):
        """From an update to its acknowledgement on the home agent's link."""
        recorder = ordering.Recorder(["wan"])
        answered = [ordering.refresh() for _ in range(count)]
        self.lab.check(f"{self.size} nodes: updates are acknowledged", all(answered), answered)
        times, asked = [], None
        for one in recorder.seen:
            if one.update:
                asked = one.time
            elif asked is not None:
                times.append((one.time - asked) * 1000)
                asked = None
        self.note("update_ms", round(statistics.median(times), 2))


# --- payload ---
def payload(lab):
    """Packets a second from the correspondent until they are there, whole network included: one processor does it all."""
    care_of = lab.registered_at("mn")
    agent = delivered(lab, "through the home agent", HOME_ADDRESS, "mn", "mip6")
    by_hand = "2001:db8:1::99"
    ends = {"ha": (HOME_AGENT, care_of), "mn": (care_of, HOME_AGENT)}
    for namespace, (local, remote) in ends.items():
        run("ip", "-6", "tunnel", "add", "hand", "mode", "ip6ip6", "local", local, "remote", remote, "encaplimit", "none",
            namespace=namespace)
        run("ip", "link", "set", "hand", "up", namespace=namespace)
    run("ip", "-6", "route", "add", f"{by_hand}/128", "dev", "hand", namespace="ha")
    tunnel = delivered(lab, "through a hand-made ip6tnl", by_hand, "mn", "hand")
    for namespace in ends:
        run("ip", "link", "del", "hand", namespace=namespace)
    host = next(one.local for one in kernel.addresses("hh", "eth0"))
    plain = delivered(lab, "forwarded to a host of the home link", host, "hh", "eth0")
    FIGURE["payload"] = {"agent_per_s": agent, "ip6tnl_per_s": tunnel, "forwarding_per_s": plain,
                         "of_ip6tnl": round(agent / max(tunnel, 1), 2)}
    lab.checks.note(f"payload: {FIGURE['payload']}")
    lab.check("payload through the agent is not a tenth of that through ip6tnl", agent > tunnel / 10, FIGURE["payload"])


def received(namespace, device):
    text = run("ip", "-j", "-s", "link", "show", device, namespace=namespace)
    return json.loads(text)[0]["stats64"]["rx"]["packets"]


def mac(namespace, device):
    text = run("ip", "-j", "link", "show", device, namespace=namespace)
    return bytes.fromhex(json.loads(text)[0]["address"].replace(":", ""))


def delivered(lab, what, target, namespace, device):
    lab.ping("cn", target, 1)  # neighbours are known then
    frame = mac("core", "r4") + mac("cn", "wan") + b"\x86\xdd" + spoof.ipv6(CORRESPONDENT, target, 59, bytes(SIZE))
    (RUN / "frame").write_bytes(frame)
    rates = []
    for _ in range(3):
        before = received(namespace, device)
        with open(RUN / "frame", "rb") as file:
            told = inside("cn", lambda: subprocess.run([str(SPRAY), "wan", str(PACKETS), "0", "0"], stdin=file,
                                                       stdout=subprocess.PIPE, text=True, check=True)).stdout.split()
        wait_for(lambda: received(namespace, device) - before >= PACKETS, 2, 0.1)
        there = received(namespace, device) - before
        lab.check(f"{what}: packets arrive", there > PACKETS // 2, there)
        rates.append(there / float(told[1]))
    return round(statistics.median(rates))
