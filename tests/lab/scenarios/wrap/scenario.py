"""The 16 bits of the sequence number: crossed from a prepared state near their end; packets captured before that, before
the home agent's restart and under an old SA are refused and counted; and before 2^15 numbers are used under the same
keys these are renewed, and the old SAs are gone at both ends."""

import signal
import time

import common
import esp
import ordering
import prepared
from lab import run, wait_for

NEAR_THE_END = 65530
LOSS = ("tc", "qdisc", "replace", "dev", "wan", "root", "netem", "loss", "100%")
NO_LOSS = ("tc", "qdisc", "del", "dev", "wan", "root")


class Wrap:
    def __init__(self, lab):
        self.lab = lab
        self.recorder = ordering.Recorder(["ar1", "ar2"])
        self.known = {}
        self.lost = set()  # packets that never arrived

    def learn(self):
        self.known.update(esp.keys("mn"))

    def updates_since(self, begin):
        return [m for m in ordering.opened(self.recorder.seen[begin:], self.known)[0] if m.status is None]

    def withheld(self):
        """An update that an attacker keeps for later: lost on its way to the home agent, which gets the next one."""
        begin, answered = len(self.recorder.updates()), ordering.node()["counters"]["acknowledged"]
        run(*LOSS, namespace="ar1")
        ordering.node("refresh")
        wait_for(lambda: len(self.recorder.updates()) > begin, 20, 0.01)
        time.sleep(0.05)
        run(*NO_LOSS, namespace="ar1")
        wait_for(lambda: ordering.node()["counters"]["acknowledged"] > answered, ordering.PATIENCE)
        self.lost.update(one.packet for one in self.recorder.updates()[begin:-1])
        return self.recorder.updates()[begin]

    def refused(self, packets, what, counter):
        """Sent again they change nothing, and `counter` of kernel or home agent grows by as many."""
        def count():
            own = ordering.agent()[0]["refused"].get("135", 0)
            return own if counter == "135" else self.lab.xfrm_errors("ha").get(counter, 0)
        before, held = count(), ordering.agent()[1]
        ordering.send_again(packets)
        counted = wait_for(lambda: count() - before == len(packets), 20)
        after = ordering.agent()[1]
        same = all(held[key] == after[key] for key in ("care_of", "sequence"))
        self.lab.check(f"{what}: refused, and counted as {counter}", packets and counted and same,
                       (len(packets), before, count(), held, after))


def scenario(lab):
    common.charons(lab, "ha", "mn")
    wrap = Wrap(lab)
    lab.agent()
    ordering.ready(lab)
    lab.stop("ha", signal.SIGKILL)
    prepared.set_agent_number(lab, NEAR_THE_END - 1)
    prepared.set_node_numbers(lab, NEAR_THE_END)
    lab.agent()
    lab.node("mn")
    if not lab.check("the node registers", ordering.registers(), ordering.node()):
        return
    wrap.learn()
    cross(lab, wrap)
    reboot(lab, wrap)
    old = renewed(lab, wrap, 31_800, "with less than 1,024 numbers left")
    wrap.refused(old, "packets under an SA that is gone", "XfrmInNoStates")
    renewed(lab, wrap, 24_600, "with three quarters of 2^15 used")
    spent(lab, wrap)
    ordering.check_numbers(lab, wrap.recorder.seen, wrap.known, "over all of it")


def cross(lab, wrap):
    kept = wrap.withheld()
    while ordering.node()["sequence"] > 100 and len(wrap.recorder.updates()) < 20:
        ordering.refresh()
    ordering.refresh()
    numbers = [m.number for m in wrap.updates_since(0)]
    steps = {ordering.ahead(b, a) for a, b in zip(numbers, numbers[1:])}
    lab.check("the end of the 16 bits is crossed one by one", numbers[0] == NEAR_THE_END and 65535 in numbers and
              0 in numbers and steps == {1}, numbers)
    lab.check("no update was refused on the way", ordering.node()["counters"]["refused"] == 0, ordering.node())
    old = [one for one in wrap.recorder.seen if one.update and one.packet not in wrap.lost][:4]
    wrap.refused(old, "packets from before the wrap", "XfrmInStateSeqError")
    wrap.refused([kept], "a packet from before the wrap that never arrived", "135")


def reboot(lab, wrap):
    kept = wrap.withheld()
    old = [one for one in wrap.recorder.updates() if one.packet not in wrap.lost][-4:]
    lab.stop("ha", signal.SIGKILL)
    lab.agent()
    ordering.ready(lab)
    wrap.refused([kept], "a packet from before the home agent's restart that never arrived", "135")
    wrap.refused(old, "packets from before the home agent's restart", "XfrmInStateSeqError")
    lab.check("and the next update is accepted", ordering.refresh(), ordering.node())


def restarted(lab, used):
    """A node that goes on with the SAs that are there, `used` numbers after the first under them; their keys."""
    before = esp.keys("mn")
    lab.stop("mnd.mn", signal.SIGKILL)
    first_unused = prepared.node_numbers(lab)["reserved_until"]
    prepared.set_node_numbers(lab, first_unused, first_unused - used)
    lab.node("mn")
    return before


def renewed(lab, wrap, used, what):
    """The SAs are others soon, at both ends. Updates under the old ones."""
    before = restarted(lab, used)
    gone = wait_for(lambda: esp.keys("mn") and not set(before) & set(esp.keys("mn")), ordering.PATIENCE, 0.2)
    lab.check(f"{what} the SAs are renewed", gone, (before, esp.keys("mn")))
    gone = wait_for(lambda: not set(before) & set(esp.keys("ha")), ordering.PATIENCE, 0.2)
    lab.check(f"{what} the old SAs are gone at both ends", gone and len(esp.keys("ha")) == 2, esp.keys("ha"))
    told = [e["text"] for e in ordering.node("events")["events"] if "used up" in e["text"]]
    lab.check(f"{what} it is told", told, ordering.node("events"))
    lab.check(f"{what} the node is registered", ordering.registers() and ordering.refresh(), ordering.node())
    wrap.learn()
    return [one for one in wrap.recorder.updates() if one.spi in before][-4:]


def spent(lab, wrap):
    """2^15 are used: nothing is sent under these keys any more."""
    begin = len(wrap.recorder.seen)
    before = restarted(lab, 32_769)
    lab.check("with 2^15 numbers used the node registers under new keys", ordering.registers(),
              ordering.node())
    wrap.learn()
    updates = wrap.updates_since(begin)
    lab.check("and sends nothing under the old ones", updates and not [m for m in updates if m.spi in before], updates)
