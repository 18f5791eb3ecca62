"""Mobile IPv6 with K agreed, with K refused, strongSwan's VPN with MOBIKE and WireGuard (in a kernel that has it), in turn
on the same network, with the same moves, at each distance and loss. tests/lab/report shows the figures. LAB_RTT,
LAB_LOSS: lists of milliseconds, of percent; LAB_MOVES: of each kind, for each system. LAB_SYSTEMS: a list of some of them."""

import itertools
import json
import os
import signal
import statistics
import struct
import subprocess
import time

import kernel
import mobike
import moves
import topology
import traffic
import wire
import wireguard
from lab import CORRESPONDENT, HERE, HOME_ADDRESS, HOME_AGENT, OUT, RUN, program, run, say, wait_for

ALL_SYSTEMS = ("mnd", "mnd-k-refused", "mobike", "wireguard", "wireguard-keepalive", "wireguard-sending", "floor")
SYSTEMS = os.environ.get("LAB_SYSTEMS", ",".join(ALL_SYSTEMS[:4])).split(",")
RTT = [json.loads(word) for word in os.environ.get("LAB_RTT", "0").split(",")]
LOSS = [json.loads(word) for word in os.environ.get("LAB_LOSS", "0,10").split(",")]
MOVES = int(os.environ.get("LAB_MOVES", 2))
# The systems take turns, twice if there are enough moves: what else the machine does then is not the lot of one of them.
TURNS = (MOVES - MOVES // 2, MOVES // 2) if MOVES >= 8 else (MOVES,)
SETTLE = 1.0  # after a move, before the next one
STEADY = 3  # seconds without a move, before the first one
LEAD = moves.LEAD
NODE_SENDS = 0.1  # seconds between packets that the node sends by itself, of wireguard-sending
LINKS = {"w1": "ar1", "w2": "ar2"}  # where what the node sends by an interface is captured
ON_THE_WAY = (("ar1", "wan"), ("ar2", "wan"), ("core", "r1"), ("core", "r2"))  # to and from the node
NEW_LINK, RUNNING = 16, 0x40  # RTM_NEWLINK, IFF_RUNNING
FLOOR = OUT / "floor"  # the program
FIGURES = ("packet_ms", "registered_ms", "gap_ms", "lost", "ike_packets", "old_source", "cpu_ms")


def prepare():
    if "floor" in SYSTEMS:
        subprocess.run(["cc", "-O2", "-Wall", "-o", str(FLOOR), str(HERE / "guest/floor.c")], check=True)


def scenario(lab):
    advertise_often()
    for namespace, interface in ON_THE_WAY:
        run("tc", "-n", namespace, "qdisc", "add", "dev", interface, "root", "netem", "limit", "10000")
    result = {"kernel": os.environ.get("LAB_KIND", "uml"), "left_out": left_out(lab), "runs": []}
    systems = [system for system in SYSTEMS if system not in result["left_out"]]
    lab.check("a system is there to be measured", systems, result["left_out"])
    for rtt in RTT:
        for loss in LOSS:
            weather(rtt, loss)
            for count, system in itertools.product(TURNS, systems):
                for run_of_kind in one_round(lab, system, rtt, loss, count):
                    add(result["runs"], run_of_kind)
                (OUT / "result.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def left_out(lab):
    """Systems that this kernel can't have; told, for they are not measured."""
    unknown = set(SYSTEMS) - set(ALL_SYSTEMS)
    if unknown:
        raise ValueError(f"LAB_SYSTEMS: {', '.join(unknown)}; there are {', '.join(ALL_SYSTEMS)}")
    wanted = [system for system in SYSTEMS if is_wireguard(system)]
    if not wanted or wireguard.available():
        return []
    lab.checks.figure(f"not measured: {', '.join(wanted)}; this kernel has no WireGuard")
    return wanted


def is_wireguard(system):
    return system.startswith("wireguard")


def is_mnd(system):
    return system.startswith("mnd")


def advertise_often():
    """As RFC 6275 section 7.5 has it for links that nodes come to: what is measured is not how long they wait for a router."""
    for router in ("ar1", "ar2"):
        config = RUN / f"radvd.{router}.acc.conf"
        text = config.read_text(encoding="utf-8")
        assert "MinRtrAdvInterval 0.2; MaxRtrAdvInterval 0.6" in text
        config.write_text(text.replace("MinRtrAdvInterval 0.2; MaxRtrAdvInterval 0.6",
                                       "MinRtrAdvInterval 0.03; MaxRtrAdvInterval 0.07"), encoding="utf-8")
        topology.signal_radvd(router, "acc", signal.SIGHUP)


def weather(rtt, loss):
    for namespace, interface in ON_THE_WAY:
        run("tc", "-n", namespace, "qdisc", "change", "dev", interface, "root", "netem", "limit", "10000",
            *(("delay", f"{rtt / 2}ms") if rtt else ()), *(("loss", f"{loss}%") if loss else ()))


def add(runs, one):
    """To what there is of the same system, conditions and kind of move."""
    def names(run_of_kind):
        return [run_of_kind[name] for name in ("system", "rtt_ms", "loss_pct", "kind")]
    same = next((run_of_kind for run_of_kind in runs if names(run_of_kind) == names(one)), None)
    if same is None:
        runs.append(one)
        return
    for name in ("n", *FIGURES):
        same[name] += one[name]
    same["steady_gap_ms"] = round((same["steady_gap_ms"] + one["steady_gap_ms"]) / 2, 1)
    same["rss_kib"] = max(same["rss_kib"] or 0, one["rss_kib"] or 0) or None


def one_round(lab, system, rtt, loss, count):
    say(f"{system}, RTT {rtt} ms, loss {loss} %")
    director = Round(lab, system, count)
    up = director.begin()
    lab.check(f"{system}, RTT {rtt:g} ms, loss {loss:g} %: it comes up", up, lab.status("mn"))
    if not up:
        director.end_round()
        return []
    director.measure()
    director.end_round()
    rows = director.rows()
    runs = []
    for kind in ("hard", "soft", "up") if system != "floor" else ("hard",):
        mine = [row for row in rows if row["kind"] == kind]
        runs.append({"system": system, "rtt_ms": rtt, "loss_pct": loss, "kind": kind, "n": len(mine),
                     **{name: [row[name] for row in mine] for name in FIGURES},
                     "steady_gap_ms": director.steady_gap, "rss_kib": director.memory})
    judge(lab, f"{system}, RTT {rtt:g} ms, loss {loss:g} %", count, runs)
    return runs


def judge(lab, what, count, runs):
    """That something was measured; how fast it was is for people to judge."""
    hard = runs[0]
    there = [run["n"] for run in runs[:2]]
    # WireGuard may not come back from a move: that is a figure too. The floor takes no pings.
    wanted = ("packet_ms",) if hard["system"] == "floor" else ("packet_ms", "gap_ms")
    if is_wireguard(hard["system"]):
        wanted = ("lost",)
    missing = sum(value is None for name in wanted for value in hard[name])
    if is_mnd(hard["system"]):
        missing += sum(value is None for run in runs[:2] for value in run["packet_ms"] + run["registered_ms"])
    lab.check(f"{what}: each move has its figures", set(there) == {count} and not missing, runs)


class Round(moves.Director):
    """A system from its start to its end, with moves; the figures are those of the main scenario."""

    def __init__(self, lab, system, count):
        super().__init__(lab, key_mobility=system != "mnd-k-refused")
        self.system = system
        self.count = count  # moves of each kind
        self.memory = None

    # --- a system ---
    def begin(self):
        lab = self.lab
        self.captures = lab.capture_all()
        with_charon = () if is_wireguard(self.system) else ("ha", "mn")
        mobike_here = self.system == "mobike"
        lab.charon_extra = {"mn": mobike.SETTINGS, "ha": mobike.SETTINGS} if mobike_here else {}
        for namespace in with_charon:
            lab.charon(namespace, wait=False)
        if not with_charon:  # the kernel tells what changes only where somebody listens
            lab.start("listener", "mn", "ip", "monitor", "link", "address", "route")
        lab.linked()
        for namespace in with_charon:
            lab.charon_ready(namespace)
        if mobike_here:
            mobike.start(lab)
        elif is_wireguard(self.system):
            wireguard.start(lab, keepalive=self.system == "wireguard-keepalive")
        elif self.system == "floor":
            lab.start_as_daemon("floor", "mn", "mnd", str(FLOOR), HOME_AGENT, *LINKS)
        else:
            lab.agent(self.key_mobility)
            lab.node("mn")
        # Under loss the node may have found that w1 leads nowhere; it tries again after half a minute.
        self.at = wait_for(lambda: (at := self.place()) and (mobike_here or at == lab.care_of("mn", "w1")) and at, 40, 0.1)
        return self.at

    def place(self):
        """The node's address as the system has it. For WireGuard as the home agent has it: the node does not know."""
        if is_wireguard(self.system):
            return wireguard.endpoint()
        if self.system == "floor":  # it sends, and has no place
            return self.lab.care_of("mn", "w1") or self.lab.care_of("mn", "w2")
        return mobike.endpoint(self.lab) if self.system == "mobike" else self.lab.registered_at("mn")

    def processor(self):
        """Of all that makes the node move, in ms; None where that is the kernel."""
        if is_wireguard(self.system) or self.system == "floor":
            return None
        names = ["charon.mn"] if self.system == "mobike" else ["mnd.mn", "charon.mn"]
        return sum(self.lab.usage(name)["cpu_ms"] for name in names)

    def end_round(self):
        lab = self.lab
        for name in ("mnd.mn", "ha", "floor", "charon.mn", "charon.ha", "listener"):
            lab.stop(name)
        lab.stop_captures()
        if is_wireguard(self.system):
            wireguard.stop()
        for namespace in ("mn", "ha"):  # of the VPN
            run("ip", "-n", namespace, "xfrm", "state", "flush")
            run("ip", "-n", namespace, "xfrm", "policy", "flush")

    # --- moves ---
    def measure(self):
        lab = self.lab
        (RUN / "ping.log").write_bytes(b"")  # of the round before
        lab.start("ping", "cn", "ping", "-n", "-D", "-i", "0.01", HOME_ADDRESS, log="ping")
        if self.system == "wireguard-sending":
            lab.start("sending", "mn", "ping", "-n", "-i", str(NODE_SENDS), CORRESPONDENT)
        wait_for(lambda: b"icmp_seq" in (RUN / "ping.log").read_bytes(), 10)
        time.sleep(STEADY + 1)
        self.stood_until = time.time()
        for _ in range(self.count):
            for kind in ("hard", "soft"):
                self.change(kind)
        self.end = time.time()
        if is_mnd(self.system):
            told = run(program("mip6ctl"), "--socket", f"{RUN}/mn.control", "trace")
            (OUT / f"trace.{self.system}.txt").write_text(told, encoding="utf-8")
        self.memory = lab.usage("charon.mn" if self.system == "mobike" else "mnd.mn")["rss_kib"]
        time.sleep(0.4)
        lab.stop("ping", signal.SIGINT)
        lab.stop("sending")

    def in_use(self):
        return next((name for name in ("w1", "w2") if self.at == self.lab.care_of("mn", name)), "w1")

    def change(self, kind):
        """hard: the link in use goes. soft: it comes back, and who prefers it changes to it. A VPN that has
        not come to the link that is left after a while is not waited for: the next move follows."""
        move = moves.Move(len(self.moves) + 1, kind, time.time())
        move.old, before = self.at, self.processor()
        if kind == "hard":
            move.interface = self.in_use()
            self.gone = move.interface
        else:
            move.interface = self.gone
        kernel.set_link("mn", move.interface, kind == "soft")
        target = {"w1": "w2", "w2": "w1"}[move.interface] if kind == "hard" else move.interface
        move.link = LINKS[target]
        stays = kind == "soft" and not is_mnd(self.system)  # or may do so

        def arrived():
            want, at = self.lab.care_of("mn", target), self.place()
            return want and (at if stays else at == want and want)
        # What is told by wg(8) costs a process; WireGuard looks for a lost peer after 15 s.
        move.new = wait_for(arrived, *((20, 0.5) if is_wireguard(self.system) else (10, 0.1)))
        time.sleep(SETTLE)
        self.at = self.place() if stays else move.new or self.place()
        if kind == "soft":
            move.new = self.lab.care_of("mn", target)
        move.cpu = None if before is None else self.processor() - before
        self.moves.append(move)

    # --- figures ---
    def rows(self):
        self.packets = wire.packets(self.captures)
        self.pings = traffic.Pings((RUN / "ping.log").read_text(encoding="utf-8"))
        length = statistics.median(m.cut - m.start for m in self.cuts())
        begin = self.stood_until - STEADY
        self.steady_gap = self.rounded(self.pings.longest_gap(begin, min(self.stood_until, begin + length)))
        changes, ike = list(wire.changes(self.lab.netlink)), self.ike_of_node()
        carriers = list(carrier_changes(self.lab.netlink))
        found = []
        for move in self.cuts():
            index = self.interfaces[move.interface]
            mine = [c for c in changes if c.interface == index and move.start - 0.02 <= c.time < move.cut]
            carrier = next((t for t, of, up in carriers if of == index and up == (move.kind == "soft") and
                            move.start - 0.02 <= t < move.cut), None)
            # hard: the kernel tells that the link is down before it tells that its addresses are gone.
            move.event = carrier if move.kind == "hard" else self.usable(mine)
            found.append(self.row(move, ike))
            if move.kind == "soft":
                move.event = carrier
                found.append({**self.row(move, ike), "kind": "up"})
        return found

    def cuts(self):
        """Moves, each until the next begins."""
        for move, following in zip(self.moves, self.moves[1:] + [None]):
            move.cut = following.start if following else self.end
        return self.moves

    @staticmethod
    def usable(changes):
        """When there were both an address and a router; None: never."""
        ready = [c.time for c in changes if c.kind == wire.NEWADDR and c.address and not c.address.startswith("fe80") and
                 not c.flags & (wire.TENTATIVE | wire.DUPLICATE)]
        routers = [c.time for c in changes if c.kind == wire.NEWROUTE]
        return max(ready[0], routers[0]) if ready and routers else None

    def row(self, move, ike):
        figures = self.figures_of(move, move.cut, ike)
        figures.update(packet_ms=None, old_source=None, cpu_ms=move.cpu)
        if is_wireguard(self.system):
            figures["ike_packets"] = None  # it has a handshake of its own
            if move.new is None:
                figures["gap_ms"] = None  # and has no end yet
        if self.system == "floor":
            figures.update(gap_ms=None, lost=None)
        if move.event is None:
            return figures
        mine = [p for p in self.packets if move.start - 0.02 <= p.time < move.cut and p.link in ("ar1", "ar2")]
        figures["old_source"] = sum(p.source == move.old and p.link == move.link and p.time > move.event for p in mine)
        first = next((p.time for p in mine if p.source == move.new), None)
        if first is None:
            return figures
        figures["packet_ms"] = self.rounded((first - move.event) * 1000)
        if not is_mnd(self.system):
            # The VPN has moved when the home agent sends payload to the new address: WireGuard's by any address of its own,
            # for when nothing comes for 15 s it forgets which one it had.
            back = next((p.time for p in mine if p.destination == move.new and is_payload(p)), None)
            figures["registered_ms"] = self.rounded((back - move.event) * 1000) if back else None
        return figures


def is_payload(packet):
    """Of a VPN."""
    return packet.protocol == wire.ESP or (packet.protocol == wire.UDP and packet.payload[:1] == wireguard.DATA)


def carrier_changes(path):
    """(time, interface, whether there is one) of each notification about a link."""
    for when, data in wire.records(path):
        at = 16
        while at + 32 <= len(data):
            length, kind, flags, _, _ = struct.unpack_from("<IHHII", data, at)
            if length < 16:
                break
            if kind == NEW_LINK and not flags & 0x3:
                index, has = struct.unpack_from("<iI", data, at + 20)
                yield when, index, bool(has & RUNNING)
            at += (length + 3) & ~3
