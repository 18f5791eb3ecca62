"""Fifty nodes register all the time while the home agent is killed at steps spread over a registration and over its own
start, and the power is cut: each binding that was acknowledged is there afterwards, on the disk and in the kernel; no
older update is accepted; the next one is, at once."""

import os
import re
import subprocess
import time
from pathlib import Path

import many
import ordering
from killing import Preloaded, Step
from lab import NODES, OUT, RUN, ask, program, run, wait_for

BOOT, BOOTS = int(os.environ.get("LAB_BOOT", 1)), int(os.environ.get("LAB_BOOTS", 1))
COUNT = 50
AGENT = "ha"
DISK, PREPARED, JOURNAL, KILLS = Path("/run/disk"), OUT / "ha.state", OUT / "nodes.jsonl", OUT / "kills"
# sendto: to the kernel (netlink), or an acknowledgement; recvmsg: an update; pwrite64 and fdatasync: of the database, in
# groups. "start": of the home agent, with its bindings to be taken up again.
STEPS = [Step(AGENT, "work", "fdatasync"), Step(AGENT, "work", "sendto", 30), Step(AGENT, "work", "pwrite64", 5),
         Step(AGENT, "start", "sendto", 60), Step(AGENT, "work", "recvmsg", 20), Step(AGENT, "work", "fdatasync", 2),
         Step(AGENT, "work", "sendto", 200), Step(AGENT, "work", delay=0.1), Step(AGENT, "work", "pwrite64"),
         Step(AGENT, "start", "sendto", 250), Step(AGENT, "work", "fdatasync", 3), Step(AGENT, "work", "sendto", 2),
         Step(AGENT, "work", "recvmsg", 150), Step(AGENT, "work", "pwrite64", 12), Step(AGENT, "work", delay=0.3)]


def prepare():
    """On this machine, where a process costs little: keys, and their record in a database."""
    Preloaded.make()
    many.take_the_place_of_the_others(many.key_files(OUT / "keys", COUNT))
    PREPARED.mkdir()
    config = OUT / "prepare.conf"
    config.write_text("\n".join([f"address = {many.HOME_AGENT}", "interface = home", "prefix = 2001:db8:1::/64",
                                 f"state-directory = {PREPARED}"] + [
        f"[node {one['name']}]\nhome-address = {one['home_address']}\nmanual-keys = {one['manual_keys']}"
        for one in NODES.values()]) + "\n", encoding="utf-8")
    for name in NODES:
        subprocess.run([program("mip6-ha"), "--config", str(config), "--keys-are-new", name], check=True,
                       stdout=subprocess.DEVNULL)


def scenario(lab, kills=len(STEPS)):
    many.take_the_place_of_the_others(many.key_files(OUT / "keys", COUNT))
    DISK.mkdir()
    run("modprobe", "-d", os.environ["LAB_MODULES"], "-S", os.environ["LAB_KERNEL"], "ext4")
    run("mount", "-t", "ext4", "/dev/ubda", str(DISK))
    lab.state = DISK
    if BOOT == 1:
        (DISK / "ha.state").mkdir(mode=0o700)
        (DISK / "ha.state/agent.db").write_bytes((PREPARED / "agent.db").read_bytes())
        os.sync()
    Fifty(lab).boot(kills)


class Fifty:
    def __init__(self, lab):
        self.lab = lab
        self.nodes = many.Nodes(COUNT, JOURNAL)
        self.killing = Preloaded()
        self.command = program("mip6-ha"), "--config", str(lab.agent_config())
        self.bad = {"lost": [], "not in the kernel": [], "old one accepted": [], "next one not accepted": []}
        self.missed = []

    def boot(self, kills):
        lab, what = self.lab, f"boot {BOOT}"
        self.start()
        if BOOT > 1:
            self.after_it("the power cut")
        self.next_ones_are_accepted("the first start" if BOOT == 1 else "the power cut")
        done = int(KILLS.read_text(encoding="utf-8")) if KILLS.exists() else 0
        for index in range(done, kills * BOOT // BOOTS):
            self.kill(STEPS[index % len(STEPS)], index)
        KILLS.write_text(str(kills * BOOT // BOOTS), encoding="utf-8")
        lab.check(f"{what}: each kill is at its step", not self.missed, self.missed)
        lab.check(f"{what}: each acknowledged binding is there afterwards, and of one update", not self.bad["lost"],
                  self.bad["lost"])
        lab.check(f"{what}: and in the kernel as it is listed", not self.bad["not in the kernel"],
                  self.bad["not in the kernel"])
        lab.check(f"{what}: updates from before are refused, and counted", not self.bad["old one accepted"],
                  self.bad["old one accepted"])
        lab.check(f"{what}: the next update of each node is accepted at once", not self.bad["next one not accepted"],
                  self.bad["next one not accepted"])
        if BOOT < BOOTS:
            self.nodes.work()
            time.sleep(0.1 + 0.07 * BOOT)
            (OUT / "cut").write_text("now\n", encoding="utf-8")
            time.sleep(600)
        else:
            lab.check("updates were acknowledged all the time", len(self.nodes.packets) >= 2 * COUNT * kills // BOOTS,
                      len(self.nodes.packets))
            lab.check(f"over {kills} kills and {BOOTS - 1} power cuts nothing was missed", done < kills and not self.missed)

    def begin(self):
        self.lab.start(AGENT, "ha", *self.command, env=self.killing.env)

    def start(self):
        self.begin()
        return wait_for(lambda: self.lab.alive(AGENT) and ask(RUN / "ha.control", "list").get("bindings"),
                        ordering.PATIENCE)

    def kill(self, step, index):
        # In three attempts the step is met, whatever the groups are that updates come in.
        if not any(self.killed(step) for _ in range(3)):
            self.missed.append(step)
        what = f"kill {index + 1}, {step}"
        self.after_it(what)
        self.next_ones_are_accepted(what)
        self.lab.checks.note(what)

    def killed(self, step):
        if step.trigger == "start":
            self.lab.stop(AGENT)  # all of it is taken out of the kernel
            died = self.killing.kill_at(self.lab, step, self.begin)
        else:
            died = self.killing.kill_at(self.lab, step, self.nodes.work)
            self.nodes.rest()
        self.start()
        return died

    def after_it(self, what):
        """Right after a start, before any update."""
        nodes = self.nodes
        listed = {one["name"]: one for one in ask(RUN / "ha.control", "list")["bindings"]}
        routes = routed()
        for one in nodes.all:
            held, acknowledged, sent = listed[one.name], nodes.acknowledged.get(one.index), nodes.sent[one.index]
            number = held["sequence"]
            if acknowledged is not None and (number is None or
                                             ordering.ahead(number, acknowledged) > ordering.ahead(sent, acknowledged)):
                self.bad["lost"].append((what, held, acknowledged, sent))
            if number is not None and held["care_of"] != many.care_of(one, number):
                self.bad["lost"].append((what, "of two updates", held))
            if routes.get(one.home_address) != held["care_of"]:
                self.bad["not in the kernel"].append((what, held, routes.get(one.home_address)))
        self.older_ones(what, listed)

    def older_ones(self, what, before):
        nodes, counted = self.nodes, self.refused()
        old = [(one.index, nodes.acknowledged[one.index]) for one in nodes.all if one.index in nodes.acknowledged]
        nodes.send_again(old)
        there = wait_for(lambda: self.refused() - counted >= len(old), 20, 0.1)
        after = {one["name"]: one for one in ask(RUN / "ha.control", "list")["bindings"]}
        same = all(before[name][item] == after[name][item] for name in before for item in ("sequence", "care_of"))
        if not old or not there or not same:
            self.bad["old one accepted"].append((what, len(old), self.refused() - counted, same))

    def refused(self):
        return ask(RUN / "ha.control", "status").get("counters", {}).get("refused", {}).get("135", 0)

    def next_ones_are_accepted(self, what):
        nodes = self.nodes
        before = [one for one in nodes.refusals if one[1] != 135]
        nodes.send(nodes.all)
        if not wait_for(lambda: not nodes.waiting, 10, 0.05) or before != [one for one in nodes.refusals if one[1] != 135]:
            self.bad["next one not accepted"].append((what, sorted(nodes.waiting), nodes.refusals[-3:]))


def routed():
    """{home address: care-of address that payload for it is tunnelled to} of the home agent's kernel."""
    found = {}
    for line in run("ip", "-n", "ha", "-6", "route", "show", "dev", "mip6ha").splitlines():
        entry = re.match(r"(\S+) .*encap ip6 .*dst (\S+)", line)
        if entry:
            found[entry[1]] = entry[2]
    return found
