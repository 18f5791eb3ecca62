"""Floods, and where every packet of one has gone: what was sent, what the link had no room for, what the kernel refused and
by which name, what answers came. These are counted by different parts of the kernel, and have to add up."""

import ctypes
import json
import signal
import socket
import struct
import subprocess
from pathlib import Path

import spoof
from attack import ETH_P_ALL, socket_in
from lab import HERE, HOME_AGENT, OUT, RUN, inside, run

SPRAY = OUT / "spray"
SOL_PACKET, PACKET_STATISTICS, SO_ATTACH_FILTER = 263, 6, 26
FORGED = "2001:db8:bad::1"  # sources of floods are in its /48, which nobody else uses
IKE_SA_INIT, SA_PAYLOAD, NOTIFY, COOKIE = 34, 33, 41, 16390  # RFC 7296
ETHERNET, IPV6, UDP = 14, 40, 8  # bytes of their headers


def build():
    subprocess.run(["cc", "-O2", "-Wall", "-o", str(SPRAY), str(HERE / "guest/spray.c")], check=True)


def mac(namespace, device):
    text = run("ip", "-j", "link", "show", device, namespace=namespace)
    return bytes.fromhex(json.loads(text)[0]["address"].replace(":", ""))


def link_drops():
    """Frames that the link from the router to the home agent had no room for. veth counts them where they were sent."""
    for line in inside("core", lambda: Path("/proc/thread-self/net/dev").read_text(encoding="utf-8")).splitlines():
        name, _, figures = line.partition(":")
        if name.strip() == "r3":
            return int(figures.split()[11])
    raise RuntimeError("the router has lost its link")


def fragments_held():
    """First fragments of packets whose rest has not come, in the home agent's namespace."""
    text = inside("ha", lambda: Path("/proc/thread-self/net/sockstat6").read_text(encoding="utf-8"))
    words = next(line.split() for line in text.splitlines() if line.startswith("FRAG6:"))
    return int(words[2])


class Spray:
    """A packet, again and again from the router before the home agent, with random bytes in these parts of it (offset from
    the IPv6 header, length): at least so many times, and until it is ended."""

    def __init__(self, packet, count, parts=(), batch=64, pause=0):
        (RUN / "frame").write_bytes(mac("ha", "wan") + mac("core", "r3") + b"\x86\xdd" + packet)
        words = [str(word) for offset, length in parts for word in (ETHERNET + offset, length)]
        with open(RUN / "frame", "rb") as file:
            self.process = inside("core", lambda: subprocess.Popen(
                [str(SPRAY), "r3", f"{count}+", str(batch), str(pause), *words], stdin=file, stdout=subprocess.PIPE, text=True))

    def running(self):
        return self.process.poll() is None

    def end(self):
        """(how many were sent, seconds)"""
        self.process.send_signal(signal.SIGTERM)
        sent, seconds = self.process.communicate()[0].split()
        return int(sent), float(seconds)


class Counter:
    """Counts packets on the home agent's link to the outside, by a filter in the kernel: nobody has to read them."""

    def __init__(self, tests):
        """tests: (size, offset from the IPv6 header, value) that all have to hold."""
        program = []
        for index, (size, offset, value) in enumerate(tests):
            load = {1: 0x30, 2: 0x28, 4: 0x20}[size]  # BPF_LD | BPF_ABS with B, H, W
            left = 2 * (len(tests) - index - 1)
            program += [(load, 0, 0, ETHERNET + offset), (0x15, 0, left + 1, value)]  # BPF_JMP | BPF_JEQ: else to the end
        program += [(6, 0, 0, 96), (6, 0, 0, 0)]  # BPF_RET
        code = b"".join(struct.pack("HBBI", *one) for one in program)
        buffer = ctypes.create_string_buffer(code)
        self.socket = socket_in("ha", socket.AF_PACKET, socket.SOCK_RAW, 0)
        self.socket.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER,
                               struct.pack("HL", len(program), ctypes.addressof(buffer)))
        self.socket.bind(("wan", ETH_P_ALL))
        self.total = 0

    def count(self):
        """Since the beginning. The kernel counts from zero each time that it is asked."""
        self.total += struct.unpack("II", self.socket.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))[0]
        return self.total


def ike_answers(*tests):
    """Answers of charon to IKE_SA_INIT from forged sources."""
    forged = struct.unpack("!IH", spoof.packed(FORGED)[:6])
    head = IPV6 + UDP
    return Counter([(1, 6, 17), (4, 24, forged[0]), (2, 28, forged[1]), (2, IPV6, 500), (1, head + 18, IKE_SA_INIT),
                    *[(size, head + offset, value) for size, offset, value in tests]])


def ike_arrived():
    """All that charon is sent at port 500, by whomever."""
    head, tail = struct.unpack("!IH", spoof.packed(HOME_AGENT)[:6])
    return Counter([(1, 6, 17), (4, 24, head), (2, 28, tail), (2, IPV6 + 2, 500)])


def ike_cookies():
    return ike_answers((1, 16, NOTIFY), (2, 28 + 6, COOKIE))


def ike_agreed():
    return ike_answers((1, 16, SA_PAYLOAD))
