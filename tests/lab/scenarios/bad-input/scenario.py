"""Bad input in masses, from outside, from a node of its own and at the control socket: a node that is served has its
updates answered meanwhile, no program grows, and what is refused is counted by name."""

import json
import os
import re
import socket
import statistics
import struct
import subprocess
import time
from pathlib import Path

import attack
import common
import spoof
from attack import counted, more
from lab import HERE, HOME_AGENT, NODES, OUT, RUN, ask, inside, run, wait_for

PORT, IKE_SA_INIT, COOKIE = 500, 34, 16390  # RFC 7296
SPRAY = OUT / "spray"
SERVED, ATTACKER = "mn2", "mn"
FORGED_SOURCE = "2001:db8:bad::1"
LIMITS = HERE.parent.parent / "packaging/strongswan/mip6-ha.conf"
SETTINGS = dict(re.findall(r"^ *(\w+) = (\d+)", LIMITS.read_text(encoding="utf-8"), re.M))
CLIENTS, GROWTH = 64, 4096  # clients that the control socket serves; KiB that a daemon may grow


def prepare():
    subprocess.run(["cc", "-O2", "-Wall", "-o", str(SPRAY), str(HERE / "guest/spray.c")], check=True)


def scenario(lab, forged=100_000, half_open=1_500):
    lab.charon_extra["ha"] = "\n".join(f"{name} = {value}" for name, value in SETTINGS.items())
    first = attack.Tap("ha", "wan")
    common.charons(lab, "ha", "mn", "mn2")
    lab.agent()
    lab.node("mn")
    lab.node("mn2")
    if not lab.check("two nodes register", lab.wait_registered("mn", timeout=20) and lab.wait_registered("mn2", timeout=20),
                     (lab.status("mn"), lab.status("mn2"))):
        return
    BadInput(lab).all(forged, half_open, next(first.frames(5, is_ike_sa_init))[1])


def is_ike_sa_init(frame):
    return frame[20] == 17 and frame[56:58] == struct.pack("!H", PORT) and frame[62 + 18] == IKE_SA_INIT and \
        frame[38:54] == spoof.packed(HOME_AGENT)


class BadInput:
    def __init__(self, lab):
        self.lab = lab
        self.usual = self.update_times(5)
        self.rss = {name: lab.usage(name)["rss_kib"] for name in ("ha", "charon.ha")}

    def all(self, forged, half_open, template):
        self.forged_before_esp(forged)
        self.garbage_in_the_clear(forged // 10)
        self.garbage_under_esp()
        self.half_open(half_open, template)
        self.control_socket()

    # --- the node that is served ---
    def update_times(self, count):
        """Milliseconds from a request for an update to its acknowledgement; empty where there was none."""
        found = []
        for _ in range(count):
            before = self.lab.status(SERVED)["counters"]["acknowledged"]
            begin = time.monotonic()
            ask(RUN / f"{SERVED}.control", "refresh")
            if wait_for(lambda: self.lab.status(SERVED)["counters"]["acknowledged"] > before, 10, 0.005):
                found.append((time.monotonic() - begin) * 1000)
        return found

    def served(self, what, times, wanted):
        usual, now = statistics.median(self.usual), statistics.median(times or [0])
        self.lab.check(f"{what}: the other node's updates are answered", len(times) >= wanted, (times, wanted))
        self.lab.checks.note(f"{what}: {now:.0f} ms for an update, {usual:.0f} ms otherwise")

    def bounded(self, what, name="ha", most=GROWTH):
        grown = self.lab.usage(name)["rss_kib"] - self.rss[name]
        self.lab.check(f"{what}: {name} grows by less than {most} KiB", grown < most, grown)
        self.lab.checks.note(f"{what}: {name} has grown by {grown} KiB")

    # --- what comes without a security association ---
    def sprayed(self, what, packet, count, offset, length):
        """Sends it from the router before the home agent, with random bytes; what the home agent counts then."""
        frame = mac("ha", "wan") + mac("core", "r3") + b"\x86\xdd" + packet
        before, lost = counted(attack.agent_status()), backlog_drops()
        (RUN / "frame").write_bytes(frame)
        with open(RUN / "frame", "rb") as file:
            process = inside("core", lambda: subprocess.Popen(
                [str(SPRAY), "r3", str(count), str(offset), str(length)], stdin=file, stdout=subprocess.PIPE, text=True))
        times = self.update_times(3)
        during = process.poll() is None
        sent = int((process.communicate()[0] or "0").split()[0])
        self.served(what, times, 3)
        self.lab.checks.note(f"{what}: it {'went on' if during else 'was over'} when these were answered")
        wait_for(lambda: refusals(more(before, counted(attack.agent_status()))) + backlog_drops() - lost >= count, 5, 0.2)
        return sent, more(before, counted(attack.agent_status())), backlog_drops() - lost

    def forged_before_esp(self, count):
        """Updates for a node that is served, each from another source address."""
        home = NODES[SERVED]["home_address"]
        packet = attack.under_option(FORGED_SOURCE, HOME_AGENT, home, spoof.MOBILITY,
                                     spoof.update(home, HOME_AGENT, 7, FORGED_SOURCE))
        what = f"{count} updates from forged sources"
        bound = attack.entry(NODES[SERVED]["name"])["care_of"]
        sent, grown, lost = self.sprayed(what, packet, count, 14 + 8 + 8, 8)
        self.lab.check(f"{what}: each is counted by name", sent == count and
                       grown.get("kernel/XfrmInTmplMismatch", 0) + lost == count, (sent, grown, lost))
        self.lab.check(f"{what}: none is an update to the home agent", grown.get("updates", 0) <= 3 and
                       attack.entry(NODES[SERVED]["name"])["care_of"] == bound, (grown, bound))
        self.bounded(what)

    def garbage_in_the_clear(self, count):
        """Random bytes in updates from an address that is no node's: no policy stops them, and their checksum is right."""
        body = struct.pack("!HHH", 1, 0xD000, 100) + bytes(1004)
        packet = spoof.ipv6(FORGED_SOURCE, HOME_AGENT, spoof.MOBILITY,
                            spoof.mobility(FORGED_SOURCE, HOME_AGENT, spoof.UPDATE, body))
        what = f"{count} packets of garbage in the clear"
        sent, grown, lost = self.sprayed(what, packet, count, 14 + 40 + 12, 1004)
        counts = sum(value for name, value in grown.items() if name.startswith("malformed/"))
        self.lab.check(f"{what}: each is counted by name", sent == count and counts + lost == count, (sent, grown, lost))
        self.bounded(what)

    # --- from a node with keys ---
    def garbage_under_esp(self, count=150):
        home = NODES[ATTACKER]["home_address"]
        speaker = attack.Speaker(ATTACKER, home, HOME_AGENT)
        stale = (self.lab.status(ATTACKER)["sequence"] - 1) & 0xFFFF
        at = self.lab.registered_at(ATTACKER)
        head = struct.pack("!HHH", stale, 0xD000, 100)
        huge = head + b"\1\2\0\0" + b"".join(b"\1\xfa" + bytes(250) for _ in range(8)) + b"\1\x0e" + bytes(14)
        # What comes too fast is dropped before its number is looked at.
        for form, name, body in (("malformed", "malformed/", head + b"\3\xc8\0\0"),
                                 ("as large as can be, and old", ("refused/135", "offences/too many updates"), huge)):
            before = counted(attack.agent_status())
            for _ in range(count):
                speaker.say(spoof.UPDATE, body)
            times = self.update_times(1)

            def seen(before=before, name=name):
                return sum(value for key, value in more(before, counted(attack.agent_status())).items()
                           if key.startswith(name))
            wait_for(lambda c=seen: c() >= count, 10, 0.1)
            self.lab.check(f"{count} messages under ESP {form}: each is counted by name", seen() == count,
                           (seen(), more(before, counted(attack.agent_status()))))
            self.served(f"messages under ESP {form}", times, 1)
        self.lab.check("and the node that sent them is registered where it was", at and attack.entry(
            NODES[ATTACKER]["name"])["care_of"] == at, (at, attack.entry(NODES[ATTACKER]["name"])))
        self.bounded("messages under ESP")

    # --- IKE ---
    def half_open(self, count, template):
        """IKE_SA_INIT again and again, each from another address, with another SPI."""
        what = f"{count} half-open IKE_SAs"
        tap, sender = attack.Tap("ha", "wan"), attack.Sender("core")
        tap.socket.setsockopt(socket.SOL_SOCKET, 33, 1 << 23)  # SO_RCVBUFFORCE
        udp = template[54:54 + struct.unpack_from("!H", template, 18)[0]]
        times = []
        for index in range(count):
            source = f"2001:db8:bad:{index >> 8:x}:{index & 0xFF:x}::1"
            sender.send(half_opened(udp, source), HOME_AGENT, pause=0.002)  # or charon's socket has no room for most
            if index % (count // 3) == count // 6:
                times += self.update_times(1)
        self.served(what, times, 3)
        answers = [frame for _, frame in tap.frames(1, lambda frame: frame[20] == 17 and frame[38:43] ==
                                                    spoof.packed(FORGED_SOURCE)[:5])]
        cookies = [frame for frame in answers if frame[62 + 16] == 41 and
                   struct.unpack_from("!H", frame, 62 + 28 + 6)[0] == COOKIE]
        keys = len(answers) - len(cookies)
        threshold = int(SETTINGS["cookie_threshold"])
        self.lab.check(f"{what}: charon agrees keys with few of them, and asks the others for a cookie",
                       threshold <= keys <= 2 * threshold and len(cookies) > count // 2, (keys, len(cookies)))
        self.lab.stop(f"mnd.{SERVED}")
        self.lab.node(SERVED)
        self.lab.check(f"{what}: a node that starts meanwhile agrees keys and registers",
                       self.lab.wait_registered(SERVED, timeout=20), self.lab.status(SERVED))
        self.bounded(what, "charon.ha", 4 * GROWTH)
        self.bounded(what)

    # --- the control socket ---
    def control_socket(self):
        clients = [client() for _ in range(CLIENTS * 2)]
        for number, one in enumerate(clients):
            one.setblocking(False)
            with_all(one, (b'{"command": "li', b"x" * 70_000, b'{"command": "list"}\n' * 3_000, b"[" * 60_000 + b"\n",
                           b"\xff\xfe\0\n" * 100)[number % 5])
        what = "hostile clients at the control socket"
        self.served(what, self.update_times(3), 3)
        self.lab.check(f"{what}: another one is answered", attack.agent_status().get("bindings"))
        closed = sum(is_closed(one) for one in clients)
        self.lab.check(f"{what}: no more than {CLIENTS} are kept", closed >= CLIENTS, closed)
        held = len(list(Path(f"/proc/{self.lab.processes['ha'].pid}/fd").iterdir()))
        self.lab.check(f"{what}: the home agent has no more descriptors", held < CLIENTS + 40, held)
        for one in clients:
            one.close()
        # Each may have an answer of a megabyte waiting, and heaps do not shrink.
        self.bounded(what, most=CLIENTS * 1024)


def half_opened(udp, source):
    """The packet from another address with a random SPI."""
    text = udp[:6] + b"\0\0" + os.urandom(8) + udp[16:]
    value = spoof.checksum(source, HOME_AGENT, 17, text)
    return spoof.ipv6(source, HOME_AGENT, 17, text[:6] + struct.pack("!H", value) + text[8:])


def mac(namespace, device):
    text = run("ip", "-j", "link", "show", device, namespace=namespace)
    return bytes.fromhex(json.loads(text)[0]["address"].replace(":", ""))


def backlog_drops():
    """Packets that this kernel lost before it looked at them, all namespaces, or had no room for in a raw socket."""
    raw = inside("ha", lambda: Path("/proc/thread-self/net/raw6").read_text(encoding="utf-8"))
    return sum(int(line.split()[-1]) for line in raw.splitlines()[1:]) + sum(int(line.split()[1], 16) for line in Path("/proc/net/softnet_stat").read_text(encoding="utf-8").splitlines())


def refusals(grown):
    return sum(count for name, count in grown.items() if name.startswith(("kernel/", "malformed/")))


def client():
    one = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    one.settimeout(5)
    connected = wait_for(lambda: one.connect_ex(str(RUN / "ha.control")) == 0, 5)  # EAGAIN: many wait to be accepted
    assert connected, "the control socket takes nobody more"
    return one


def with_all(one, data):
    """Sends what is taken at once."""
    try:
        one.send(data)
    except OSError:
        pass


def is_closed(one):
    """Whether the other end is, once what came from there is read."""
    try:
        while one.recv(1 << 20):
            pass
        return True
    except BlockingIOError:
        return False
    except OSError:
        return True
