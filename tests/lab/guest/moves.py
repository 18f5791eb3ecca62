"""The main scenario: a node moves while a transfer and pings go on; figures are taken from outside."""

import ipaddress
import json
import os
import signal
import socket
import statistics
import time

import kernel
import leftovers
import traffic
import vici
import wire
from lab import CORRESPONDENT, HOME_ADDRESS, HOME_AGENT, NODES, OUT, RUN, inside, run, say, wait_for

ORDER = ["hard", "soft", "hard", "soft", "home", "away"]
LEAD = 0.1       # a gap is looked for from this long before the event
SETTLE = 1.5     # seconds after a move before anything is asked
STEADY = 4       # stretches without a move
HOME_LINK = "wh"


def in_home_prefix(address):
    return ipaddress.IPv6Address(address) in ipaddress.IPv6Network(f"{HOME_AGENT}/64", strict=False)


def whole(lab, agree, then=None, count=12, first="w1", order=ORDER):
    """The scenario from start to end. LAB_MOVES: how many moves instead of `count`; `then` may do more after the measured
    ones."""
    director = Director(lab, key_mobility=agree)
    if not director.begin(first):
        return
    director.start_traffic()
    director.run_moves(kinds(int(os.environ.get("LAB_MOVES", count)), order))
    director.stop_traffic()
    if then and not os.environ.get("LAB_DEMO"):
        then(lab, director)
    left = director.finish()
    lab.stop_captures()
    result = {**director.figures(), "leftovers": left}
    director.write(result)
    check_result(lab, result, director)
    if "home" in [m.kind for m in director.moves]:
        check_wire_form(lab, director)
    if agree:
        check_no_new_ike(lab, director)
    else:
        check_replacement(lab, director)


class Move:
    def __init__(self, number, kind, start):
        self.number, self.kind, self.start = number, kind, start
        self.old = self.new = self.event = self.key_mobility = self.sequence = None
        self.end = None
        self.endpoints = None
        self.gateway_interface = None


class Director:
    def __init__(self, lab, key_mobility=True):
        self.lab, self.key_mobility = lab, key_mobility
        self.moves, self.steady = [], []
        self.at = None  # where the node is registered
        self.interfaces = inside("mn", lambda: {name: socket.if_nametoindex(name) for name in ("w1", "w2", HOME_LINK)})

    # --- before and after ---
    def begin(self, first="w1"):
        """Captures, charon, the programs, the first registration, on interface `first`."""
        lab = self.lab
        self.captures = lab.capture_all()
        for namespace in ("ha", "mn", "mn2"):
            lab.charon(namespace, wait=False)
        lab.linked()
        for namespace in ("ha", "mn", "mn2"):
            lab.charon_ready(namespace)
        self.before = {n: leftovers.snapshot(n, lab.vici_socket(n)) for n in ("mn", "ha")}
        self.watches = {n: vici.Watch(lab.vici_socket(n)) for n in ("mn", "ha")}
        lab.agent(self.key_mobility)
        lab.node("mn2")
        lab.node("mn")
        self.at = lab.wait_registered("mn", timeout=15, on=first)
        lab.check("the node registers", self.at, json.dumps(lab.status("mn")))
        second = lab.wait_registered("mn2", timeout=10)
        lab.check("the second node registers", second, json.dumps(lab.status("mn2")))
        self.second_endpoint = lab.ike_endpoints()[2]
        return bool(self.at)

    def start_traffic(self):
        lab, here = self.lab, os.path.dirname(os.path.abspath(__file__))
        self.stop_file = f"{RUN}/transfer.stop"
        self.resets = {n: traffic.tcp_counters(run("cat", "/proc/net/snmp", namespace=n)) for n in ("mn", "cn")}
        command = ["/usr/bin/python3", f"{here}/traffic.py"]
        lab.start("serve", "cn", *command, "serve", f"{RUN}/tcp.cn.json", self.stop_file)
        wait_for(lambda: f":{traffic.PORT}" in run("ss", "-Hltn", namespace="cn"), 5)
        lab.start("connect", "mn", *command, "connect", f"{RUN}/tcp.mn.json", self.stop_file, HOME_ADDRESS,
                  CORRESPONDENT)
        lab.start("ping", "cn", "ping", "-n", "-D", "-i", "0.01", HOME_ADDRESS, log="ping")
        time.sleep(1)

    def stop_traffic(self):
        lab = self.lab
        self.end = time.time()
        time.sleep(0.4)
        lab.stop("ping", signal.SIGINT)
        with open(self.stop_file, "w", encoding="utf-8"):
            pass
        for name in ("connect", "serve"):
            process = lab.processes.get(name)
            wait_for(lambda p=process: p.poll() is not None, 20)
        self.usage = {"mnd": lab.usage("mnd.mn"), "ha": lab.usage("ha")}

    # --- moves ---
    def ask(self):
        """What is asked after every move, and in the stretches without one, so that both have the same load."""
        status = self.lab.status("mn")
        return status, self.lab.ike_endpoints()

    def stand_still(self):
        start = time.time()
        time.sleep(SETTLE)
        self.ask()
        time.sleep(0.2)
        self.steady.append((start, time.time()))

    def move(self, kind):
        lab = self.lab
        move = Move(len(self.moves) + 1, kind, time.time())
        move.old = self.at
        interface, state = {"hard": ("w1", "down"), "soft": ("w1", "up"), "home": (HOME_LINK, "up"),
                            "away": (HOME_LINK, "down")}[kind]
        kernel.set_link("mn", interface, state == "up")
        target = {"hard": "w2", "soft": "w1", "home": None, "away": "w1"}[kind]

        def arrived():
            want = HOME_ADDRESS if target is None else lab.care_of("mn", target)
            status = lab.status("mn")
            return want and status.get("registered_at") == want and (status, want)

        time.sleep(max(0.0, SETTLE - (time.time() - move.start)))
        found = wait_for(arrived, 8, 0.2)
        status, move.new = found or (lab.status("mn"), None)
        move.key_mobility, move.sequence = status.get("key_mobility"), status.get("sequence")

        def settled():
            move.endpoints = lab.ike_endpoints()
            return move.endpoints[0] == [move.new] and move.endpoints[1] == [move.new]
        wait_for(settled, 3, 0.2)
        if not found:
            say(f"  status: {json.dumps(status)}")
        self.at = move.new or status.get("registered_at")
        time.sleep(0.2)
        move.end = time.time()
        self.moves.append(move)
        say(f"  move {move.number:2} {kind:4}  {move.old} -> {move.new or 'NOT REGISTERED'}"
            f"  K {'yes' if move.key_mobility else 'no'}  sequence {move.sequence}")
        return move

    def run_moves(self, kinds):
        for _ in range(STEADY // 2):
            self.stand_still()
        for kind in kinds:
            self.move(kind)
        for _ in range(STEADY - STEADY // 2):
            self.stand_still()

    # --- figures ---
    def find_events(self):
        """The kernel's notification of each change, from the captured netlink messages of the node's namespace.

        hard, away: DELADDR of the first global address of the interface that died. soft, home: when the new address
        and the default router of its interface are both there (the later of the first NEWADDR that is not tentative and
        the first NEWROUTE): an address without router is of no use."""
        changes = list(wire.changes(self.lab.netlink))
        for move, following in zip(self.moves, self.moves[1:] + [None]):
            until = following.start if following else self.end
            mine = [c for c in changes if move.start - 0.02 <= c.time < until]
            index = self.interfaces[HOME_LINK if move.kind in ("home", "away") else "w1"]
            mine = [c for c in mine if c.interface == index]
            there = [c for c in mine if c.address and not c.address.startswith("fe80")]
            if move.kind in ("hard", "away"):
                times = [c.time for c in there if c.kind == wire.DELADDR]
                move.event = times[0] if times else None
            else:
                bad = wire.TENTATIVE | wire.DUPLICATE
                ready = [c.time for c in there if c.kind == wire.NEWADDR and not c.flags & bad and
                         (move.kind == "soft" or in_home_prefix(c.address))]
                routers = [c.time for c in mine if c.kind == wire.NEWROUTE]
                move.event = max(ready[0], routers[0]) if ready and routers else None

    def figures(self):
        self.find_events()
        self.packets = wire.packets(self.captures)
        self.pings = traffic.Pings((RUN / "ping.log").read_text(encoding="utf-8"))
        ike = self.ike_of_node()
        moves = []
        for move, following in zip(self.moves, self.moves[1:] + [None]):
            last = self.steady[-(STEADY - STEADY // 2)][0] if following is None else None
            until = (following.event or following.start) if following else last
            moves.append(self.figures_of(move, until, ike))
        begin, end = self.moves[0].start, self.end
        own = [p for p in self.packets if p.link in ("ar1", "ar2", "home")]
        clear = [kind for p in self.packets for kind in p.clear]
        lengths = [m.end - m.start + LEAD for m in self.moves]
        length = statistics.median(lengths)
        self.transfer = self.transfer_result()
        return {
            "version": 1, "lab": os.environ["LAB_KIND"], "k": "agree" if self.key_mobility else "refuse",
            "steady_gap_ms": self.rounded(statistics.median(
                self.pings.longest_gap(a, min(b, a + length)) for a, b in self.steady)),
            "moves": moves,
            "tcp": self.transfer,
            "wire": {"bu_protected": sum(wire.is_update(p, HOME_ADDRESS, HOME_AGENT) for p in own),
                     "ba_protected": sum(wire.is_acknowledgement(p, HOME_ADDRESS, HOME_AGENT) for p in own),
                     "bu_clear": sum(kind != 6 for kind in clear), "ba_clear": sum(kind == 6 for kind in clear)},
            **self.usage,
        }

    @staticmethod
    def rounded(value):
        return None if value is None else round(value, 1)

    def figures_of(self, move, until, ike):
        event = move.event
        row = {"n": move.number, "kind": move.kind, "from": move.old, "to": move.new, "bu_after_ms": None,
               "registered_ms": None, "gap_ms": None, "lost": None, "ike_packets": None, "k": move.key_mobility,
               "sequence": move.sequence}
        if event is None:
            return row
        own = [p for p in self.packets if move.start - 0.02 <= p.time < until and p.link in ("ar1", "ar2", "home")]
        updates = [p.time for p in own if wire.is_update(p, HOME_ADDRESS, HOME_AGENT) and p.source == move.new]
        row["lost"] = len([t for t in self.pings.lost(until - LEAD) if t >= event - LEAD])
        row["gap_ms"] = self.rounded(self.pings.longest_gap(event - LEAD, until))
        row["ike_packets"] = len([t for t in ike if event <= t < until])
        if updates:
            row["bu_after_ms"] = self.rounded((updates[0] - event) * 1000)
            answers = [p.time for p in own if wire.is_acknowledgement(p, HOME_ADDRESS, HOME_AGENT) and
                       p.destination == move.new and p.time >= updates[0]]
            row["registered_ms"] = self.rounded((answers[0] - event) * 1000) if answers else None
        return row

    def ike_of_node(self):
        """Times of IKE packets between the node and the home agent, each once though several links see it."""
        by_packet = {}
        for packet in self.packets:
            ends = (packet.source, packet.destination)
            if not wire.is_ike(packet) or packet.link == "ar1-2" or any(e.startswith("2001:db8:a3:") for e in ends):
                continue
            key = (*ends, packet.ports, packet.payload)
            by_packet.setdefault(key, {}).setdefault(packet.link, []).append(packet.time)
        # A retransmission is the same bytes again on the same link: the link that saw most is the count.
        return sorted(t for links in by_packet.values() for t in max(links.values(), key=len))

    def transfer_result(self):
        ends = {}
        for name in ("mn", "cn"):
            path = RUN / f"tcp.{name}.json"
            ends[name] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {"errors": ["never ended"]}
        self.transfer_ends = ends
        resets = {n: traffic.tcp_counters(run("cat", "/proc/net/snmp", namespace=n)) - before
                  for n, before in self.resets.items()}
        return {"bytes": sum(e.get("received", 0) for e in ends.values()),
                "complete": all(e.get("checksum") is True and not e["errors"] for e in ends.values()),
                "resets": sum(resets.values())}

    # --- end ---
    def finish(self):
        """SIGTERM to node and home agent: what is left of theirs."""
        lab = self.lab
        status = {name: lab.stop(name) for name in ("mnd.mn", "mnd.mn2")}
        # Of one moment: the last acknowledgements are sent while the nodes that end take their SAs with them.
        self.sent_again = lab.agent_status()["counters"]["sent_again"]
        self.errors = {n: lab.xfrm_errors(n) for n in ("mn", "ha")}
        status["ha"] = lab.stop("ha")
        time.sleep(0.3)
        left = {n: leftovers.difference(before, leftovers.snapshot(n, lab.vici_socket(n)))
                for n, before in self.before.items()}
        self.exit_status = status
        return left

    def write(self, result):
        (OUT / "result.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def kinds(count, order):
    return [order[i % len(order)] for i in range(count)]


def check_result(lab, result, director):
    """What must be true of every run, whatever the home agent answers."""
    check, moves = lab.check, result["moves"]
    agree = result["k"] == "agree"
    # `away` contains the home agent's duplicate address detection: registered_ms is not judged, but must be there.
    missing = [f"{key} of move {m['n']}" for m in moves for key, value in m.items() if value is None]
    missing += [f"{key} of {name}" for name in ("mnd", "ha") for key, value in result[name].items() if value is None]
    check("every figure could be measured", moves and not missing, ", ".join(missing))
    check("the transfer completes, both checksums right", result["tcp"]["complete"] and result["tcp"]["bytes"] > 0,
          json.dumps(director.transfer_ends))
    check("the transfer sees no reset", result["tcp"]["resets"] == 0, result["tcp"])
    lost = {m["n"]: m["lost"] for m in moves if m["kind"] in ("soft", "home")}
    check("no ping is lost in a soft move, and on the way home", lost and not any(lost.values()), lost)
    check("not one mobility message is in the clear",
          result["wire"]["bu_clear"] == 0 and result["wire"]["ba_clear"] == 0, result["wire"])
    check("every move has a protected Binding Update and Acknowledgement",
          result["wire"]["bu_protected"] > len(moves) and result["wire"]["ba_protected"] > len(moves), result["wire"])
    check(f"K is {'set' if agree else 'clear'} in every answer", all(m["k"] is agree for m in moves),
          [m["k"] for m in moves])
    if not agree:
        late = [(m.number, update, ike) for m in director.moves for update, ike in [first_of_each(director, m)]
                if not update or ike and ike < update]
        check("no update waits for IKE: the first one from the new address is before the first IKE packet", not late, late)
    ike = [m["ike_packets"] for m in moves]
    limit = 0 if agree else 6
    check(f"{'not one IKE packet' if agree else 'at most six IKE packets'} for a move",
          all(count is not None and count <= limit for count in ike), ike)
    wrong = [f"move {m.number} to {m.new}: node {m.endpoints[0]}, agent {m.endpoints[1]}" for m in director.moves
             if m.endpoints[0] != [m.new] or m.endpoints[1] != [m.new]]
    check("both charons' IKE endpoint is the care-of address after each move, the home address at home", not wrong,
          "; ".join(wrong))
    changed = [m.number for m in director.moves if m.endpoints[2] != director.second_endpoint]
    check("the second node's IKE endpoint has not changed", director.second_endpoint and not changed, changed)
    for namespace, left in result["leftovers"].items():
        check(f"after SIGTERM nothing is left in {namespace}", not left, "; ".join(left))
    check("both daemons end in time with status 0", all(s == 0 for s in director.exit_status.values()),
          director.exit_status)


def first_of_each(director, move):
    """When the first update and the first IKE packet were sent from where the move led; None if there was none."""
    mine = [p for p in director.packets if p.source == move.new and p.time >= move.start]
    return (min((p.time for p in mine if wire.is_update(p, HOME_ADDRESS, HOME_AGENT)), default=None),
            min((p.time for p in mine if wire.is_ike(p)), default=None))


def check_wire_form(lab, director):
    """Away: home address option or type 2 routing header, and ESP; at home: plain ESP, neither of them."""
    from_care_of = [p for p in director.packets if p.link in ("ar1", "ar2") and
                    wire.is_update(p, HOME_ADDRESS, HOME_AGENT)]
    at_home = [p for p in director.packets if p.link == "home" and p.protocol == wire.ESP and
               HOME_ADDRESS in (p.source, p.destination)]
    away_moves = [m for m in director.moves if m.kind != "home"]
    lab.check("away, each Binding Update is ESP behind a home address option, sent from the care-of address",
              len({p.source for p in from_care_of}) >= 2 and len(from_care_of) >= len(away_moves) + 1 and
              all(p.source != HOME_ADDRESS for p in from_care_of), len(from_care_of))
    lab.check("at home, update and acknowledgement are plain ESP between home address and home agent",
              any(p.source == HOME_ADDRESS for p in at_home) and any(p.destination == HOME_ADDRESS for p in at_home) and
              all(p.option is None and p.routing is None for p in at_home), len(at_home))


def check_no_new_ike(lab, director):
    """K agreed: the IKE_SA of the first registration is the only one ever established, re-keying included."""
    ike = [p for p in director.packets if p.link in ("ar1", "ar2", "home") and wire.is_ike(p)]
    anew = [p for p in ike if p.time > director.moves[0].start and
            wire.ike_exchange(p) in (wire.IKE_SA_INIT, wire.IKE_AUTH)]
    first = {wire.ike_exchange(p) for p in ike if p.time <= director.moves[0].start}
    lab.check("IKE was established once and never anew", not anew and {wire.IKE_SA_INIT, wire.IKE_AUTH} <= first,
              [(p.source, wire.ike_exchange(p)) for p in anew][:4])


def check_replacement(lab, director):
    """K refused: the old IKE_SA is gone on both ends within a second of the new one; nothing lost for want of an SA."""
    for namespace, watch in director.watches.items():
        late, identity = [], NODES["mn"]["identity"]
        mine = [e for e in watch.events if e[1] == "ike-updown" and
                identity in (e[4].get("local-id"), e[4].get("remote-id"))]
        ups = [e for e in mine if e[2]][1:]  # the first one replaces nothing
        for number, (when, _, _, _, section) in enumerate(ups, 1):
            gone = [e[0] for e in mine if not e[2] and e[4].get("uniqueid") != section.get("uniqueid") and
                    when - 1 < e[0] < when + 30]
            if not gone or gone[0] - when > 1:
                late.append(f"{number}: {round(gone[0] - when, 2) if gone else 'never'}")
        lab.check(f"{namespace}: the old IKE_SA is gone within a second of the new one", len(ups) >= len(director.moves)
                  and not late, f"{len(ups)} replacements for {len(director.moves)} moves; late {late}")
    for namespace in ("mn", "ha"):
        errors = director.errors[namespace]
        # charon may remove the old SA just when an answer is sent under it, which is sent once more then.
        again = director.sent_again if namespace == "ha" else 0
        lab.check(f"{namespace}: nothing is lost for want of an SA", errors.get("XfrmOutNoStates", 0) <= again, (errors, again))
