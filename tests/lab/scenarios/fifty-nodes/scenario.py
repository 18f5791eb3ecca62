"""Fifty nodes register all the time while the home agent is killed at steps spread over a registration and over its own
start, and the power is cut: each binding that was acknowledged is there afterwards, on the disk and in the kernel; no
older update is accepted; the next one is, at once. After a cut the wall clock is a year behind or two ahead. Behind:
before any node has said a word payload is tunnelled to all of them, and taken from their care-of addresses alone; ahead:
all bindings have ended. Nodes that are banned stay so, by the same clocks."""

import os
import re
import socket
import subprocess
import time
from pathlib import Path

import attack
import many
import ordering
import spoof
from killing import Preloaded, Step
from lab import CORRESPONDENT, HOME_AGENT, NODES, OUT, RUN, ask, program, run, wait_for

BOOT, BOOTS = int(os.environ.get("LAB_BOOT", 1)), int(os.environ.get("LAB_BOOTS", 1))
COUNT = 50
# Two more nodes, one banned for ill behaviour and one by the operator.
ILL, UNWANTED = many.node(COUNT), many.node(COUNT + 1)
LEAP, LEAPS = 5000, 12  # of numbers: more than 4096 is an offence, and so many of them more than are borne
WHY_ILL = "for 600 s, for ill behaviour: sequence jump"
NO_STATE = "XfrmInNoStates"
YEARS = (0, -1, 1)  # from the right time, of the wall clock in one boot after the other
YEAR = 365 * 86400
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
    many.take_the_place_of_the_others(many.key_files(OUT / "keys", COUNT + 2))
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
    many.take_the_place_of_the_others(many.key_files(OUT / "keys", COUNT + 2))
    DISK.mkdir()
    run("modprobe", "-d", os.environ["LAB_MODULES"], "-S", os.environ["LAB_KERNEL"], "ext4")
    run("mount", "-t", "ext4", os.environ["LAB_DISK_DEVICE"], str(DISK))
    lab.state = DISK
    time.clock_settime(time.CLOCK_REALTIME, time.time() + years(BOOT) * YEAR)
    if BOOT == 1:
        (DISK / "ha.state").mkdir(mode=0o700)
        (DISK / "ha.state/agent.db").write_bytes((PREPARED / "agent.db").read_bytes())
        os.sync()
    Fifty(lab).boot(kills)


def years(boot):
    return YEARS[(boot - 1) % len(YEARS)]


def ahead_of_the_last_boot(boot):
    return years(boot) > years(boot - 1)


def why_banned(node):
    return (attack.entry(node.name).get("banned") or {}).get("why")


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
        if BOOT == 1:
            self.ban()
        else:
            self.after_the_cut()
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

    # --- those that are banned ---
    def ban(self):
        for number in range(1, 2 + LEAP * LEAPS, LEAP):  # a leap is one from what is stored
            self.nodes.raw.sendto(many.sealed(ILL, number), (HOME_AGENT, 0))
            wait_for(lambda n=number: why_banned(ILL) or attack.entry(ILL.name).get("sequence") == n, 10, 0.01)
        ask(RUN / "ha.control", "ban", node=UNWANTED.name)
        self.lab.check("two nodes are banned, one of them for ill behaviour", wait_for(
            lambda: why_banned(ILL) == WHY_ILL and why_banned(UNWANTED) is not None, 10, 0.1), attack.entry(ILL.name))

    def banned_as_before(self, what, over):
        """over: by the wall clock the ban for ill behaviour has ended."""
        lab, banned = self.lab, [UNWANTED] if over else [ILL, UNWANTED]
        lab.check(f"{what}: the ban for ill behaviour is {'over' if over else 'in force'}, the operator's is in force",
                  why_banned(ILL) == (None if over else WHY_ILL) and why_banned(UNWANTED) is not None,
                  (attack.entry(ILL.name), attack.entry(UNWANTED.name)))
        before = lab.xfrm_errors("ha").get(NO_STATE, 0)
        for one in banned:
            self.nodes.raw.sendto(many.sealed(one, LEAP * LEAPS + 2), (HOME_AGENT, 0))
        refused = wait_for(lambda: lab.xfrm_errors("ha").get(NO_STATE, 0) - before == len(banned), 10, 0.05)
        lab.check(f"{what}: updates of who is banned find no security association", refused and not [
            one for one in banned if attack.entry(one.name).get("care_of")], (before, lab.xfrm_errors("ha")))

    # --- after a power cut ---
    def after_the_cut(self):
        what, ended = "after the power cut", ahead_of_the_last_boot(BOOT)
        self.after_it(what, ended)
        listed = {one["name"]: one for one in ask(RUN / "ha.control", "list")["bindings"]}
        bound = {one: listed[one.name]["care_of"] for one in self.nodes.all if listed[one.name]["care_of"]}
        what = f"boot {BOOT}, the clock {'ahead' if ended else 'behind'}"
        proxied = set(re.findall(r"^(\S+) dev home", run("ip", "-n", "ha", "-6", "neigh", "show", "proxy"), re.MULTILINE))
        self.banned_as_before(what, any(map(ahead_of_the_last_boot, range(2, BOOT + 1))))
        if ended:
            told = (RUN / "ha.log").read_text(encoding="utf-8").count("binding expired meanwhile")
            self.lab.check(f"{what}: all bindings have ended, the log says so, and nothing is intercepted for them",
                           not bound and told >= COUNT and not proxied and not routed(), (bound, told, proxied))
            return
        left = [listed[one.name]["lifetime_left"] for one in bound]
        self.lab.check(f"{what}: all bindings are there, none for longer than was granted", len(bound) == COUNT and
                       all(0 < one <= 4 * many.LIFETIME for one in left), left)
        self.lab.check(f"{what}: neighbours who ask for any of them are answered", proxied == {
            one.home_address for one in bound}, proxied)
        self.payload(what, bound)

    def payload(self, what, bound):
        """Both ways, while no node says a word."""
        tap, before = attack.Tap("cn", "wan"), self.tunnel_dropped()
        to_nodes = {(at, one.home_address) for one, at in bound.items()}
        from_nodes = {(one.home_address, CORRESPONDENT) for one in bound}
        for one, at in bound.items():
            self.raw(spoof.ipv6(CORRESPONDENT, one.home_address, spoof.ICMPV6, spoof.echo(CORRESPONDENT, one.home_address)))
            inner = spoof.ipv6(one.home_address, CORRESPONDENT, spoof.ICMPV6, spoof.echo(one.home_address, CORRESPONDENT))
            self.raw(spoof.ipv6(at, HOME_AGENT, spoof.IPV6, inner))
        for _, frame in tap.frames(20, lambda frame: frame[20] in (spoof.IPV6, spoof.ICMPV6)):
            at = 14 + (40 if frame[20] == spoof.IPV6 else 0)
            source, destination = (socket.inet_ntop(socket.AF_INET6, frame[start:start + 16]) for start in (at + 8, at + 24))
            if frame[20] == spoof.ICMPV6:
                from_nodes.discard((source, destination))
            elif frame[22:38] == spoof.packed(HOME_AGENT):
                to_nodes.discard((socket.inet_ntop(socket.AF_INET6, frame[38:54]), destination))
            if not to_nodes and not from_nodes:
                break
        self.lab.check(f"{what}: before any node has said a word payload is tunnelled to each, and taken from its care-of "
                       "address", not to_nodes and not from_nodes, (to_nodes, from_nodes))
        self.lab.check(f"{what}: none of it is dropped", self.tunnel_dropped() == before, (before, self.tunnel_dropped()))
        for one, at in bound.items():
            inner = spoof.ipv6(one.home_address, CORRESPONDENT, spoof.ICMPV6, spoof.echo(one.home_address, CORRESPONDENT))
            other = next(many.care_of(one, number) for number in (0, 1) if many.care_of(one, number) != at)
            self.raw(spoof.ipv6(other, HOME_AGENT, spoof.IPV6, inner))
        self.lab.check(f"{what}: from another address it is dropped, and counted", wait_for(
            lambda: self.tunnel_dropped() == before + len(bound), 10, 0.05), (before, self.tunnel_dropped()))

    def raw(self, packet):
        self.nodes.raw.sendto(packet, (socket.inet_ntop(socket.AF_INET6, packet[24:40]), 0))

    def tunnel_dropped(self):
        return ask(RUN / "ha.control", "status").get("counters", {}).get("tunnel_dropped", 0)

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

    def after_it(self, what, ended=False):
        """Right after a start, before any update. ended: the bindings have, by the wall clock."""
        nodes = self.nodes
        listed = {one["name"]: one for one in ask(RUN / "ha.control", "list")["bindings"]}
        routes = routed()
        for one in nodes.all:
            held, acknowledged, sent = listed[one.name], nodes.acknowledged.get(one.index), nodes.sent[one.index]
            number = held["sequence"]
            if acknowledged is not None and (number is None or
                                             ordering.ahead(number, acknowledged) > ordering.ahead(sent, acknowledged)):
                self.bad["lost"].append((what, held, acknowledged, sent))
            if not ended and number is not None and held["care_of"] != many.care_of(one, number):
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
