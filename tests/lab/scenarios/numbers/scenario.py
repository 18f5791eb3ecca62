"""Sequence numbers and the state that has them, with dynamic keys. The 16 bits are crossed from a prepared state near
their end; packets captured before that, before the home agent's restart and under an old SA are refused and counted; and
before 2^15 numbers are used under the same keys these are renewed, and the old SAs are gone at both ends, which both tell.
State lost on purpose: the node's file deleted, cut short or garbage, its disk full or read-only; the home agent's database
deleted, garbage, empty, read-only or on a full disk. Where numbers are lost the SAs are renewed before the first update;
where nothing can be stored nothing is sent and nothing acknowledged, and it is said why."""

import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import common
import esp
import ordering
import prepared
from lab import NODES, RUN, inside, program, run, wait_for

NEAR_THE_END = 65530
LOSS = ("tc", "qdisc", "replace", "dev", "wan", "root", "netem", "loss", "100%")
NO_LOSS = ("tc", "qdisc", "del", "dev", "wan", "root")
DISK = Path("/run/small")
NODE_DISK, AGENT_DISK = DISK / "mn.state", DISK / "ha.state"


def scenario(lab):
    lab.state = DISK
    for folder in (NODE_DISK, AGENT_DISK):
        folder.mkdir(parents=True)
        run("mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder))
    common.charons(lab, "ha", "mn")
    watched = Watched(lab)
    lab.agent()
    ordering.ready(lab)
    lab.stop("ha", signal.SIGKILL)
    prepared.set_agent_number(lab, NEAR_THE_END - 1)
    prepared.set_node_numbers(lab, NEAR_THE_END)
    lab.agent()
    lab.node("mn")
    if not lab.check("the node registers", ordering.registers(), ordering.node()):
        return
    watched.learn()
    cross(lab, watched)
    reboot(lab, watched)
    old = renewed(lab, watched, 31_800, "with less than 1,024 numbers left")
    watched.refused(old, "packets under an SA that is gone", "XfrmInNoStates")
    renewed(lab, watched, 24_600, "with three quarters of 2^15 used")
    spent(lab, watched)
    of_node(lab, watched)
    of_agent(lab, watched)
    watched.learn()
    ordering.check_numbers(lab, watched.recorder.seen, watched.known, "over all of it")


class Watched:
    def __init__(self, lab):
        self.lab = lab
        self.known = {}
        self.recorder = ordering.Recorder(["ar1", "ar2"], when_seen=self.learn_of)
        self.lost = set()  # packets that never arrived

    def learn(self):
        self.known.update(esp.keys("mn"))

    def learn_of(self, seen):
        """At once: keys may be gone a moment later."""
        if seen.spi not in self.known:
            self.learn()

    def catch_up(self):
        """Waits until the registered node's last update and its acknowledgement have been seen: the recorder may be a little
        behind."""
        self.learn()
        last = ordering.node()["sequence"]

        def both():
            return {m.status for m in ordering.opened(self.recorder.seen[-10:], self.known)[0] if m.number == last} >= {None, 0}
        wait_for(both, 5, 0.01)

    def so_far(self):
        """How many packets have been seen."""
        self.catch_up()
        return len(self.recorder.seen)

    def messages_since(self, begin):
        self.catch_up()
        return ordering.opened(self.recorder.seen[begin:], self.known)[0]

    def updates_since(self, begin):
        return [m for m in self.messages_since(begin) if m.status is None]

    def withheld(self):
        """An update that an attacker keeps for later: lost on its way to the home agent, which gets the next one."""
        self.catch_up()
        begin, answered = len(self.recorder.updates()), ordering.node()["counters"]["acknowledged"]
        run(*LOSS, namespace="ar1")
        ordering.node("refresh")
        wait_for(lambda: len(self.recorder.updates()) > begin, 20, 0.01)
        time.sleep(0.05)
        run(*NO_LOSS, namespace="ar1")
        wait_for(lambda: ordering.node()["counters"]["acknowledged"] > answered, ordering.PATIENCE)
        self.catch_up()
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

    def comes_back(self, damage, restart, what, of_agent=False):
        """Registered again, nothing sent under the keys from before the damage; the home agent's damage, of which the node
        cannot know, leaves nothing accepted under them."""
        before, begin = set(esp.keys("mn")), self.so_far()
        damage()
        restart()
        self.lab.check(f"{what}: registered again", ordering.registers(), ordering.node())
        messages = self.messages_since(begin)
        if of_agent:
            accepted = [m for m in messages if m.status == 0]
            self.lab.check(f"{what}: nothing is accepted under the old keys",
                           accepted and not [m for m in accepted if m.spi in before], (before, messages))
            return
        updates = [m for m in messages if m.status is None]
        self.lab.check(f"{what}: under new keys from the first update on",
                       updates and not [m for m in updates if m.spi in before], (before, updates))

    def sent_nothing(self, begin, what):
        self.lab.check(f"{what}: no update is sent", not [s for s in self.recorder.seen[begin:] if s.update],
                       self.recorder.seen[begin:])


# --- which numbers ---

def cross(lab, watched):
    kept = watched.withheld()
    while ordering.node()["sequence"] > 100 and len(watched.recorder.updates()) < 20:
        ordering.refresh()
    ordering.refresh()
    numbers = [m.number for m in watched.updates_since(0)]
    steps = {ordering.ahead(b, a) for a, b in zip(numbers, numbers[1:])}
    lab.check("the end of the 16 bits is crossed one by one", numbers[0] == NEAR_THE_END and 65535 in numbers and
              0 in numbers and steps == {1}, numbers)
    lab.check("no update was refused on the way", ordering.node()["counters"]["refused"] == 0, ordering.node())
    old = [one for one in watched.recorder.seen if one.update and one.packet not in watched.lost][:4]
    watched.refused(old, "packets from before the wrap", "XfrmInStateSeqError")
    watched.refused([kept], "a packet from before the wrap that never arrived", "135")


def reboot(lab, watched):
    kept = watched.withheld()
    old = [one for one in watched.recorder.updates() if one.packet not in watched.lost][-4:]
    lab.stop("ha", signal.SIGKILL)
    lab.agent()
    ordering.ready(lab)
    watched.refused([kept], "a packet from before the home agent's restart that never arrived", "135")
    watched.refused(old, "packets from before the home agent's restart", "XfrmInStateSeqError")
    lab.check("and the next update is accepted", ordering.refresh(), ordering.node())


def restarted(lab, used):
    """A node that goes on with the SAs that are there, `used` numbers after the first under them; their keys."""
    before = esp.keys("mn")
    lab.stop("mnd.mn", signal.SIGKILL)
    first_unused = prepared.node_numbers(lab)["reserved_until"]
    prepared.set_node_numbers(lab, first_unused, first_unused - used)
    lab.node("mn")
    return before


def keys_told_by_agent():
    """SPIs of the node's SAs, each time that they were others."""
    log = (RUN / "ha.log").read_text(encoding="utf-8", errors="replace")
    return [{int(spi, 16) for spi in pair} for pair in
            re.findall(rf"node={NODES['mn']['name']} keys up spi-in=(\w+) spi-out=(\w+)", log)]


def renewed(lab, watched, used, what):
    """The SAs are others soon, at both ends. Updates under the old ones."""
    before = restarted(lab, used)
    gone = wait_for(lambda: esp.keys("mn") and not set(before) & set(esp.keys("mn")), ordering.PATIENCE, 0.2)
    lab.check(f"{what} the SAs are renewed", gone, (before, esp.keys("mn")))
    gone = wait_for(lambda: not set(before) & set(esp.keys("ha")), ordering.PATIENCE, 0.2)
    lab.check(f"{what} the old SAs are gone at both ends", gone and len(esp.keys("ha")) == 2, esp.keys("ha"))
    told = [e["text"] for e in ordering.node("events")["events"] if "used up" in e["text"]]
    lab.check(f"{what} the node tells it", told, ordering.node("events"))
    told = wait_for(lambda: keys_told_by_agent()[-1:] == [esp.keys("ha").keys()], ordering.PATIENCE)
    lab.check(f"{what} the home agent tells which ones it has now", told, (keys_told_by_agent(), esp.keys("ha")))
    lab.check(f"{what} the node is registered", ordering.registers() and ordering.refresh(), ordering.node())
    watched.learn()
    return [one for one in watched.recorder.updates() if one.spi in before][-4:]


def spent(lab, watched):
    """2^15 are used: nothing is sent under these keys any more."""
    begin = watched.so_far()
    before = restarted(lab, 32_769)
    lab.check("with 2^15 numbers used the node registers under new keys", ordering.registers(),
              ordering.node())
    updates = watched.updates_since(begin)
    lab.check("and sends nothing under the old ones", updates and not [m for m in updates if m.spi in before], updates)


def told(lab, pattern, what):
    def found():
        error = ordering.node().get("last_error") or {}
        return error.get("current") and re.search(pattern, error["what"]) and error["remedy"]
    lab.check(f"{what}: status says why, and what to do", wait_for(found, ordering.PATIENCE), ordering.node().get("last_error"))


# --- the node's file ---

def of_node(lab, watched):
    file = prepared.node_file(lab)

    def restart():
        lab.node("mn")

    def damaging(action):
        def damage():
            lab.stop("mnd.mn", signal.SIGKILL)
            action()
        return damage
    watched.comes_back(damaging(file.unlink), restart, "the node's file deleted")
    watched.comes_back(damaging(lambda: file.write_text(file.read_text(encoding="utf-8")[:11], encoding="utf-8")), restart,
                    "the node's file cut short")
    watched.comes_back(damaging(lambda: file.write_bytes(b"\x00\xff" * 200)), restart, "the node's file garbage")
    cannot_store(lab, watched, fill, make_room, "No space", "the node's disk full")
    cannot_store(lab, watched, read_only, writable, "Read-only", "the node's disk read-only")


def fill(disk):
    with open(disk / "filler", "wb", buffering=0) as filler:
        try:
            while True:
                filler.write(b"x" * 4096)
        except OSError:
            pass


def make_room(disk):
    (disk / "filler").unlink()


def read_only(disk):
    run("mount", "-o", "remount,ro", str(disk))


def writable(disk):
    run("mount", "-o", "remount,rw", str(disk))


def cannot_store(lab, watched, refuse, allow, words, what):
    refuse(NODE_DISK)
    lab.check(f"{what}: a running node goes on with the numbers that it has stored", ordering.refresh(), ordering.node())
    begin = watched.so_far()
    lab.stop("mnd.mn", signal.SIGKILL)
    lab.node("mn")
    told(lab, words, what)
    watched.sent_nothing(begin, what)
    allow(NODE_DISK)
    lab.check(f"{what}: when it can be written again the node registers by itself", ordering.registers(),
              ordering.node())


# --- the home agent's database ---

def of_agent(lab, watched):
    database = prepared.agent_database(lab)
    kept = Path("/run/kept.db")

    def kill_and(action):
        def damage():
            lab.stop("ha", signal.SIGKILL)
            action()
        return damage

    def delete():
        for path in database.parent.iterdir():
            path.unlink()

    def restart():
        lab.agent()
        ordering.ready(lab)
        ordering.refresh()
    watched.comes_back(kill_and(delete), restart, "the home agent's database deleted", of_agent=True)

    lab.stop("ha")
    shutil.copy(database, kept)
    database.write_bytes(b"garbage" * 3000)
    refuses_to_start(lab, "not a database|malformed|damaged", "the home agent's database garbage")
    database.write_bytes(b"")
    refuses_to_start(lab, "empty", "the home agent's database empty")
    shutil.copy(kept, database)
    read_only(AGENT_DISK)
    refuses_to_start(lab, "readonly|read-only|Read-only|unable to open|disk I/O error", "the home agent's database read-only")
    writable(AGENT_DISK)
    lab.agent()
    lab.check("the database restored, the node is registered", ordering.ready(lab) and ordering.refresh(),
              ordering.node())
    watched.learn()
    moved = AGENT_DISK / "moved.db"
    unacknowledged(lab, fill, make_room, "on a full disk")
    unacknowledged(lab, lambda _: database.rename(moved), lambda _: moved.rename(database), "removed while in use")


def refuses_to_start(lab, words, what):
    result = inside("ha", lambda: subprocess.run([program("mip6-ha"), "--config", str(RUN / "ha.conf")],
                                                 capture_output=True, text=True, check=False, timeout=20))
    said = result.stdout + result.stderr
    lab.check(f"{what}: it does not start, and says why", result.returncode == 1 and re.search(words, said) and
              "agent.db" in said, (result.returncode, said))


def unacknowledged(lab, refuse, allow, what):
    """A home agent that cannot store refuses: 130, insufficient resources."""
    before, held = ordering.agent()
    refuse(AGENT_DISK)
    ordering.node("refresh")
    wait_for(lambda: ordering.agent()[0]["refused"].get("130", 0) > before["refused"].get("130", 0), 20)
    after, held_after = ordering.agent()
    trouble = ordering.ask(RUN / "ha.control", "status").get("trouble") or {}
    lab.check(f"the home agent's database, {what}: the update is refused, nothing is acknowledged",
              after["refused"].get("130", 0) > before["refused"].get("130", 0) and
              after["accepted"] == before["accepted"] and held["sequence"] == held_after["sequence"], (before, after))
    lab.check(f"the home agent's database, {what}: both ends say so", "agent.db" in trouble.get("what", "") and
              trouble.get("remedy") and "130" in (ordering.node().get("last_error") or {}).get("what", ""),
              (trouble, ordering.node().get("last_error")))
    allow(AGENT_DISK)
    lab.check(f"the home agent's database, {what}: afterwards the node is registered by itself",
              ordering.registers(), ordering.node())
