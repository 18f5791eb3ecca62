"""Many moves, one after the other, and what is to be the same before and after however many: memory, descriptors, what is in
the kernels and in both charons."""

import os
import re
import time

import attack
import kernel
import leftovers
import wire
from lab import HOME_ADDRESS, HOME_AGENT, run, wait_for

HARD_EVERY = 20  # of the moves, one is hard: w1 goes, and comes back
GROWTH = 256  # KiB of resident memory, from the end of the first part to the end: pages touched, the ring of events
PROGRAMS = {"mnd.mn": "mn", "ha": "ha", "charon.mn": "mn", "charon.ha": "ha"}  # and their namespaces


class Stock:
    """What there is at the moment."""

    def __init__(self, lab):
        self.memory = {name: lab.usage(name)["rss_kib"] for name in ("mnd.mn", "ha")}
        self.processor = {name: lab.usage(name)["cpu_ms"] for name in PROGRAMS}
        self.descriptors = {name: len(os.listdir(f"/proc/{lab.processes[name].pid}/fd")) for name in PROGRAMS}
        self.kept = {namespace: _kept(lab, namespace) for namespace in ("mn", "ha")}


def _kept(lab, namespace):
    """Lines without what is another after a re-key: SPIs, how often a state was used, and when last."""
    lines = leftovers.snapshot(namespace, lab.vici_socket(namespace))
    neighbours = run("ip", "-n", namespace, "-6", "neigh").splitlines()
    lines += [f"neighbour: {line.split()[0]} {line.split()[2]}" for line in neighbours if not line.startswith("fe80")]
    return sorted(re.sub(r"\b0x[0-9a-f]+|anti-replay.*|lastused \S+ \S+", "", line) for line in lines)


class Marcher:
    """Moves the node and waits for the home agent's answer, which is taken from the wire: asking mnd would cost it time."""

    def __init__(self, lab, roads):
        self.lab, self.roads = lab, roads
        self.taps = {interface: attack.Tap(router, "acc") for interface, router in (("w1", "ar1"), ("w2", "ar2"))}
        self.missed = []

    def march(self, count):
        """count moves, back to w1 at the end; which of them were not answered stands in `missed`."""
        for number in range(count):
            if number % HARD_EVERY == HARD_EVERY - 2:
                self._hard(number)
            else:
                self._soft(number)
        self.roads.prefer("w1")
        return self.lab.wait_registered("mn", self.lab.care_of("mn", "w1"), 20)

    def _soft(self, number):
        target = "w2" if self.roads.at == "w1" else "w1"
        self._forget(target)
        self.roads.prefer(target)
        self._answered(number, target)

    def _hard(self, number):
        """w1 goes down while the node is there."""
        self.roads.prefer("w1")
        if not self.lab.wait_registered("mn", self.lab.care_of("mn", "w1"), 10):
            self.missed.append(number)
        self._forget("w2")
        kernel.set_link("mn", "w1", False)
        self._answered(number, "w2")
        kernel.set_link("mn", "w1", True)
        back = wait_for(lambda: self.lab.care_of("mn", "w1"), 10)
        self.roads.link_was_down()
        if not self.lab.wait_registered("mn", back, 10):
            self.missed.append(number)

    def _forget(self, interface):
        for _ in self.taps[interface].passed(0):
            pass

    def _answered(self, number, target):
        def answers(frame):
            packet = wire.parse(0, "tap", frame)
            return packet and wire.is_acknowledgement(packet, HOME_ADDRESS, HOME_AGENT)
        if next(self.taps[target].frames(10, answers), None) is None:
            self.missed.append(number)


def soak(lab, roads, count):
    """Checks, and figures as a dictionary."""
    marcher = Marcher(lab, roads)
    marcher.march(0)
    time.sleep(3)  # a home agent takes what is on its way from the last care-of address for a second
    start = Stock(lab)
    first = max(20, count // 10)
    back = marcher.march(first)
    time.sleep(3)
    before, began = Stock(lab), time.monotonic()
    back = marcher.march(count - first) and back
    lasted = time.monotonic() - began
    time.sleep(3)
    after = Stock(lab)
    check = lab.check
    check(f"{count} moves, each is answered, and the node is registered where it began", back and not marcher.missed,
          (lab.status("mn"), marcher.missed[:10]))
    grown = {name: after.memory[name] - before.memory[name] for name in before.memory}
    check("memory stays flat", all(more <= GROWTH for more in grown.values()), (grown, after.memory))
    check("descriptors: as many as before", after.descriptors == start.descriptors, (start.descriptors, after.descriptors))
    for namespace, kept in after.kept.items():
        more, less = leftovers.difference(start.kept[namespace], kept), leftovers.difference(kept, start.kept[namespace])
        check(f"{namespace}: the kernel and charon have what they had before", not more and not less,
              f"more: {more[:8]}, less: {less[:8]}")
    moves = count - first
    return {"moves": count, "rss_kib": after.memory, "grown_kib": grown, "descriptors": after.descriptors,
            "seconds_per_move": round(lasted / moves, 3),
            "cpu_ms_per_move": {name: round((after.processor[name] - before.processor[name]) / moves, 2)
                                for name in before.processor}}
