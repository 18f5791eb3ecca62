"""Mobile IPv6 with K agreed, with K refused, and strongSwan's VPN with MOBIKE, one after the other on the same network, with
the same moves, at each distance and loss. tests/lab/report shows the figures. LAB_RTT, LAB_LOSS: lists of milliseconds, of
percent; LAB_MOVES: of each kind, for each system. LAB_SYSTEMS: not all of them."""

import json
import os
import signal
import statistics
import struct
import time

import kernel
import mobike
import moves
import traffic
import wire
from lab import HOME_ADDRESS, HOME_AGENT, OUT, RUN, program, run, say, wait_for

SYSTEMS = os.environ.get("LAB_SYSTEMS", "mnd,mnd-k-refused,mobike").split(",")
RTT = [json.loads(word) for word in os.environ.get("LAB_RTT", "0").split(",")]
LOSS = [json.loads(word) for word in os.environ.get("LAB_LOSS", "0").split(",")]
MOVES = int(os.environ.get("LAB_MOVES", 2))
SETTLE = 1.0  # after a move, before the next one
STEADY = 3  # seconds without a move, before the first one
LEAD = moves.LEAD
ON_THE_WAY = (("ar1", "wan"), ("ar2", "wan"), ("core", "r1"), ("core", "r2"))  # to and from the node
NEW_LINK, RUNNING = 16, 0x40  # RTM_NEWLINK, IFF_RUNNING
FIGURES = ("packet_ms", "registered_ms", "gap_ms", "lost", "ike_packets", "cpu_ms")


def scenario(lab):
    advertise_often()
    for namespace, interface in ON_THE_WAY:
        run("tc", "-n", namespace, "qdisc", "add", "dev", interface, "root", "netem", "limit", "10000")
    result = {"kernel": os.environ.get("LAB_KIND", "uml"), "runs": []}
    for rtt in RTT:
        for loss in LOSS:
            weather(rtt, loss)
            for system in SYSTEMS:
                result["runs"] += one_round(lab, system, rtt, loss)
                (OUT / "result.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def advertise_often():
    """As RFC 6275 section 7.5 has it for links that nodes come to: what is measured is not how long they wait for a router."""
    for router in ("ar1", "ar2"):
        config = RUN / f"radvd.{router}.acc.conf"
        text = config.read_text(encoding="utf-8")
        assert "MinRtrAdvInterval 0.2; MaxRtrAdvInterval 0.6" in text
        config.write_text(text.replace("MinRtrAdvInterval 0.2; MaxRtrAdvInterval 0.6",
                                       "MinRtrAdvInterval 0.03; MaxRtrAdvInterval 0.07"), encoding="utf-8")
        run("pkill", "-HUP", "-F", f"{RUN}/radvd.{router}.acc.pid")


def weather(rtt, loss):
    for namespace, interface in ON_THE_WAY:
        run("tc", "-n", namespace, "qdisc", "change", "dev", interface, "root", "netem", "limit", "10000",
            *(("delay", f"{rtt / 2}ms") if rtt else ()), *(("loss", f"{loss}%") if loss else ()))


def one_round(lab, system, rtt, loss):
    say(f"{system}, RTT {rtt} ms, loss {loss} %")
    director = Round(lab, system)
    up = director.begin()
    lab.check(f"{system}, RTT {rtt:g} ms, loss {loss:g} %: it comes up", up, lab.status("mn"))
    if not up:
        director.end_round()
        return []
    director.measure()
    director.end_round()
    rows = director.rows()
    runs = []
    for kind in ("hard", "soft", "up"):
        mine = [row for row in rows if row["kind"] == kind]
        runs.append({"system": system, "rtt_ms": rtt, "loss_pct": loss, "kind": kind, "n": len(mine),
                     **{name: [row[name] for row in mine] for name in FIGURES},
                     "steady_gap_ms": director.steady_gap, "rss_kib": director.memory})
    judge(lab, system, rtt, loss, runs)
    return runs


def judge(lab, system, rtt, loss, runs):
    """That something was measured; how fast it was is for people to judge."""
    hard, soft, _ = runs
    there = [run["n"] for run in (hard, soft)]
    missing = sum(value is None for value in hard["packet_ms"] + hard["gap_ms"])
    if system != "mobike":
        missing += sum(value is None for run in (hard, soft) for value in run["packet_ms"] + run["registered_ms"])
    lab.check(f"{system}, RTT {rtt:g} ms, loss {loss:g} %: each move has its figures", there == [MOVES, MOVES] and not missing,
              runs)


class Round(moves.Director):
    """A system from its start to its end, with moves; the figures are those of the main scenario."""

    def __init__(self, lab, system):
        super().__init__(lab, key_mobility=system != "mnd-k-refused")
        self.system = system
        self.memory = None

    # --- a system ---
    def begin(self):
        lab = self.lab
        self.captures = lab.capture_all()
        vpn = self.system == "mobike"
        lab.charon_extra = {"mn": mobike.SETTINGS, "ha": mobike.SETTINGS} if vpn else {}
        for namespace in ("ha", "mn"):
            lab.charon(namespace, wait=False)
        lab.linked()
        for namespace in ("ha", "mn"):
            lab.charon_ready(namespace)
        if vpn:
            mobike.start(lab)
        else:
            lab.agent(self.key_mobility)
            lab.node("mn")
        # Under loss the node may have found that w1 leads nowhere; it tries again after half a minute.
        self.at = wait_for(lambda: (at := self.place()) and (vpn or at == lab.care_of("mn", "w1")) and at, 40, 0.1)
        return self.at

    def place(self):
        return mobike.endpoint(self.lab) if self.system == "mobike" else self.lab.registered_at("mn")

    def processor(self):
        """Of all that makes the node move, in ms."""
        names = ["charon.mn"] if self.system == "mobike" else ["mnd.mn", "charon.mn"]
        return sum(self.lab.usage(name)["cpu_ms"] for name in names)

    def end_round(self):
        lab = self.lab
        for name in ("mnd.mn", "ha", "charon.mn", "charon.ha"):
            lab.stop(name)
        lab.stop_captures()
        for namespace in ("mn", "ha"):  # of the VPN
            run("ip", "-n", namespace, "xfrm", "state", "flush")
            run("ip", "-n", namespace, "xfrm", "policy", "flush")

    # --- moves ---
    def measure(self):
        lab = self.lab
        (RUN / "ping.log").write_bytes(b"")  # of the round before
        lab.start("ping", "cn", "ping", "-n", "-D", "-i", "0.01", HOME_ADDRESS, log="ping")
        time.sleep(STEADY + 1)
        self.stood_until = time.time()
        for _ in range(MOVES):
            for kind in ("hard", "soft"):
                self.change(kind)
        self.end = time.time()
        if self.system != "mobike":
            told = run(program("mip6ctl"), "--socket", f"{RUN}/mn.control", "trace")
            (OUT / f"trace.{self.system}.txt").write_text(told, encoding="utf-8")
        self.memory = lab.usage("charon.mn" if self.system == "mobike" else "mnd.mn")["rss_kib"]
        time.sleep(0.4)
        lab.stop("ping", signal.SIGINT)

    def in_use(self):
        return next((name for name in ("w1", "w2") if self.at == self.lab.care_of("mn", name)), "w1")

    def change(self, kind):
        """hard: the link in use goes. soft: it comes back, and who prefers it changes to it."""
        move = moves.Move(len(self.moves) + 1, kind, time.time())
        move.old, before = self.at, self.processor()
        if kind == "hard":
            move.interface = self.in_use()
            self.gone = move.interface
        else:
            move.interface = self.gone
        kernel.set_link("mn", move.interface, kind == "soft")
        target = {"w1": "w2", "w2": "w1"}[move.interface] if kind == "hard" else move.interface
        stays = kind == "soft" and self.system == "mobike"

        def arrived():
            want, at = self.lab.care_of("mn", target), self.place()
            return want and (at if stays else at == want and want)
        move.new = wait_for(arrived, 10, 0.1)
        time.sleep(SETTLE)
        self.at = move.new or self.place()
        if kind == "soft":
            move.new = self.lab.care_of("mn", target)
        move.cpu = self.processor() - before
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
            move.event = self.event_of(move.kind, mine)
            found.append(self.row(move, ike))
            if move.kind == "soft":
                move.event = next((t for t, of in carriers if of == index and move.start - 0.02 <= t < move.cut), None)
                found.append({**self.row(move, ike), "kind": "up"})
        return found

    def cuts(self):
        """Moves, each until the next begins."""
        for move, following in zip(self.moves, self.moves[1:] + [None]):
            move.cut = following.start if following else self.end
        return self.moves

    @staticmethod
    def event_of(kind, changes):
        there = [c for c in changes if c.address and not c.address.startswith("fe80")]
        if kind == "hard":
            return next((c.time for c in there if c.kind == wire.DELADDR), None)
        ready = [c.time for c in there if c.kind == wire.NEWADDR and not c.flags & (wire.TENTATIVE | wire.DUPLICATE)]
        routers = [c.time for c in changes if c.kind == wire.NEWROUTE]
        return max(ready[0], routers[0]) if ready and routers else None

    def row(self, move, ike):
        figures = self.figures_of(move, move.cut, ike)
        figures.update(packet_ms=None, cpu_ms=move.cpu)
        if move.event is None:
            return figures
        mine = [p for p in self.packets if move.start - 0.02 <= p.time < move.cut and p.link in ("ar1", "ar2")]
        first = next((p.time for p in mine if p.source == move.new), None)
        if first is None:
            return figures
        figures["packet_ms"] = self.rounded((first - move.event) * 1000)
        if self.system == "mobike":
            # The VPN has moved when the home agent sends payload to the new address.
            back = next((p.time for p in mine if p.source == HOME_AGENT and p.destination == move.new and
                         p.protocol == wire.ESP), None)
            figures["registered_ms"] = self.rounded((back - move.event) * 1000) if back else None
        return figures


def carrier_changes(path):
    """(time, interface) of each notification that a link has a carrier now."""
    for when, data in wire.records(path):
        at = 16
        while at + 32 <= len(data):
            length, kind, flags, _, _ = struct.unpack_from("<IHHII", data, at)
            if length < 16:
                break
            if kind == NEW_LINK and not flags & 0x3:
                index, has = struct.unpack_from("<iI", data, at + 20)
                if has & RUNNING:
                    yield when, index
            at += (length + 3) & ~3
