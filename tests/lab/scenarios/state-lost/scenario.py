"""State lost on purpose, with dynamic keys: the node's file deleted, cut short or garbage, its disk full or read-only;
the home agent's database deleted, garbage, read-only or on a full disk. Where numbers are lost the SAs are renewed
before the first update; where nothing can be stored nothing is sent and nothing acknowledged, and it is said why."""

import re
import shutil
import signal
import subprocess
from pathlib import Path

import common
import esp
import ordering
import prepared
from lab import RUN, inside, program, run, wait_for

DISK = Path("/run/small")
NODE_DISK, AGENT_DISK = DISK / "mn.state", DISK / "ha.state"


def scenario(lab):
    lab.state = DISK
    for folder in (NODE_DISK, AGENT_DISK):
        folder.mkdir(parents=True)
        run("mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder))
    common.charons(lab, "ha", "mn")
    lost = Lost(lab)
    lab.agent()
    lab.node("mn")
    if not lab.check("the node registers", ordering.registers(), ordering.node()):
        return
    lost.learn()
    of_node(lab, lost)
    of_agent(lab, lost)
    lost.learn()
    ordering.check_numbers(lab, lost.recorder.seen, lost.known, "over all of it")


class Lost:
    def __init__(self, lab):
        self.lab = lab
        self.recorder = ordering.Recorder(["ar1", "ar2"])
        self.known = {}

    def learn(self):
        self.known.update(esp.keys("mn"))

    def comes_back(self, damage, restart, what, of_agent=False):
        """Registered again, nothing sent under the keys from before the damage; the home agent's damage, of which the node
        cannot know, leaves nothing accepted under them."""
        self.learn()
        before, begin = set(esp.keys("mn")), len(self.recorder.seen)
        damage()
        restart()
        self.lab.check(f"{what}: registered again", ordering.registers(), ordering.node())
        self.learn()
        messages = ordering.opened(self.recorder.seen[begin:], self.known)[0]
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


def told(lab, pattern, what):
    def found():
        error = ordering.node().get("last_error") or {}
        return error.get("current") and re.search(pattern, error["what"]) and error["remedy"]
    lab.check(f"{what}: status says why, and what to do", wait_for(found, ordering.PATIENCE), ordering.node().get("last_error"))


# --- the node's file ---

def of_node(lab, lost):
    file = prepared.node_file(lab)

    def restart():
        lab.node("mn")

    def damaging(action):
        def damage():
            lab.stop("mnd.mn", signal.SIGKILL)
            action()
        return damage
    lost.comes_back(damaging(file.unlink), restart, "the node's file deleted")
    lost.comes_back(damaging(lambda: file.write_text(file.read_text(encoding="utf-8")[:11], encoding="utf-8")), restart,
                    "the node's file cut short")
    lost.comes_back(damaging(lambda: file.write_bytes(b"\x00\xff" * 200)), restart, "the node's file garbage")
    cannot_store(lab, lost, fill, make_room, "No space", "the node's disk full")
    cannot_store(lab, lost, read_only, writable, "Read-only", "the node's disk read-only")


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


def cannot_store(lab, lost, refuse, allow, words, what):
    refuse(NODE_DISK)
    lab.check(f"{what}: a running node goes on with the numbers that it has stored", ordering.refresh(), ordering.node())
    lost.learn()
    lab.stop("mnd.mn", signal.SIGKILL)
    begin = len(lost.recorder.seen)
    lab.node("mn")
    told(lab, words, what)
    lost.sent_nothing(begin, what)
    allow(NODE_DISK)
    lab.check(f"{what}: when it can be written again the node registers by itself", ordering.registers(),
              ordering.node())


# --- the home agent's database ---

def of_agent(lab, lost):
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
    lost.comes_back(kill_and(delete), restart, "the home agent's database deleted", of_agent=True)

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
    lost.learn()
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
