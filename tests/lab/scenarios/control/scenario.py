"""mip6ctl as its users have it, each command as a process: what it prints fits a terminal and is what its schemas say; exit
statuses; a configuration that is changed, broken and mended while the node is registered, and the daemon started again in its
own place, without a lost ping; pause and home, also over a restart; who may ask what; a thousand clients that are up to no
good while the node moves."""

import contextlib
import json
import os
import resource
import signal
import socket
import subprocess
import time

import common
import vici
from lab import HERE, HOME_ADDRESS, NODES, PATIENCE_FACTOR, ROOT, RUN, program, run, wait_for
from schemas import Schemas
from terminal import COLOUR, Terminal
from traffic import Pings

CONTROL, CONFIG = RUN / "mn.control", RUN / "mn.conf"
NOBODY = 65534
EXAMPLE = ROOT / "examples/mip6-notify"
COLUMNS = 80
CROWD = 1000
FEW_ROWS = 10  # less than status has
NOT_REGISTERED, NOT_PERMITTED, NOT_RUNNING, USAGE, FAILED = 4, 5, 3, 2, 1


def scenario(lab):
    common.group_of_members()
    if not common.begin(lab, capture=False):
        return
    User(lab).does_all()
    common.stop_and_compare(lab)


class User:
    def __init__(self, lab):
        self.lab, self.schemas, self.text = lab, Schemas(), CONFIG.read_text(encoding="utf-8")

    def does_all(self):
        self.looks()
        self.mistakes_commands()
        with self.pinged("reloads and restarts"):
            self.reloads()
            self.restarts()
        self.pauses()
        self.goes_home()
        self.is_permitted()
        self.watches()
        self.begins_anew()
        self.is_beside_a_crowd()
        unused = self.schemas.all.keys() - self.schemas.used
        self.lab.check("each schema was held against what is printed", not unused, unused)

    # --- helpers ---
    def ctl(self, *words, groups=None, socket_path=CONTROL):
        """Exit status, standard output, standard error. `groups`: as nobody in these."""
        who = {} if groups is None else {"user": NOBODY, "group": NOBODY, "extra_groups": groups}
        ran = subprocess.run([program("mip6ctl"), "--socket", str(socket_path), *words], capture_output=True, text=True,
                             check=False, timeout=30 * PATIENCE_FACTOR, **who)
        return ran.returncode, ran.stdout, ran.stderr

    def well(self, what, *words, schema=None, code=0, **more):
        """Its answer. code: another exit status, of what has an answer all the same."""
        status, said, wrong = self.ctl(*words, **more)
        self.lab.check(f"{what}: {' '.join(words)}", status == code and said, f"{status} {said} {wrong}")
        if schema:
            mistakes = self.schemas.mistakes(schema, said)
            self.lab.check(f"{what}: {' '.join(words)} is what the schema {schema} says", not mistakes, mistakes[:3])
        return said

    def refused(self, what, code, *words, **more):
        status, said, wrong = self.ctl(*words, **more)
        self.lab.check(f"{what}: exit status {code} of {' '.join(words)}", status == code and wrong, f"{status} {said} {wrong}")
        if "--json" in words:
            mistakes = self.schemas.mistakes("error", said)
            self.lab.check(f"{what}: the refusal of {' '.join(words)} is what the schema says", not mistakes, mistakes[:3])
        return said + wrong

    def configure(self, extra="", interfaces=""):
        """Before the sections of interfaces; what is written before counts no more."""
        CONFIG.write_text(self.text + extra + "\n" + interfaces, encoding="utf-8")

    def started(self):
        return json.loads(self.ctl("--json", "version")[1] or "{}").get("started")

    @contextlib.contextmanager
    def pinged(self, what):
        self.lab.start("ping", "cn", "ping", "-n", "-D", "-i", "0.05", HOME_ADDRESS)
        time.sleep(1)
        yield
        end = time.time()
        time.sleep(1)
        self.lab.stop("ping", signal.SIGINT)
        pings = Pings((RUN / "ping.log").read_text(encoding="utf-8"))
        lost = pings.lost(end)
        self.lab.check(f"{what}: no ping is lost", pings.transmitted and not lost,
                       f"{len(lost)} of {pings.transmitted}: {lost[:5]}")
        self.lab.checks.figure(f"{what}: {pings.transmitted} pings, {len(lost)} lost")

    @contextlib.contextmanager
    def same_daemon(self, what, again):
        """The process and its IKE connection stay; `again`: started again, or not at all."""
        def seen():
            sas = [sa["uniqueid"] for sa in vici.ike_sas(self.lab.vici_socket("mn"))]
            return self.lab.processes["mnd.mn"].pid, sas, self.lab.registered_at("mn")
        begin, before = self.started(), seen()
        yield
        self.lab.check(f"{what}: it is {'started again' if again else 'the same that runs'}",
                       (self.started() not in (None, begin)) if again else self.started() == begin, (begin, self.started()))
        wait_for(lambda: seen() == before, 10, 0.1)
        self.lab.check(f"{what}: in the same process, with the same keys and registration", self.lab.alive("mnd.mn") and
                       seen() == before, (before, seen()))

    # --- what is told ---
    def looks(self):
        for words in (["status"], ["links"], ["keying"], ["sequence"], ["trace"], ["config", "show"], ["version"]):
            said = self.well("as text", *words)
            wide = [line for line in said.splitlines() if len(line) > COLUMNS]
            if words != ["config", "show"]:  # as it would be in the file
                self.lab.check(f"{' '.join(words)} fits {COLUMNS} columns", not wide, wide)
            rows = len(said.splitlines())
            self.lab.check(f"{' '.join(words)} has no colours where nobody sees them", "\x1b" not in said)
            if words == ["status"]:
                self.lab.check("status fits 24 rows", rows <= 24, said)
        for name in ("status", "links", "keying", "sequence", "trace", "doctor", "events", "version", "report"):
            self.well("as JSON", "--json", name, schema=name)
        self.well("as JSON", "--json", "config", "show", schema="config-show")
        self.well("as JSON", "--json", "config", "check", "--config", str(CONFIG), schema="config-check")
        self.is_shown("status", "green", "\x1b[32mregistered")
        before = self.lab.status()["counters"]["acknowledged"]
        self.well("as JSON", "--json", "refresh", schema="result")
        self.lab.check("refresh: the home agent is told, and answers", wait_for(
            lambda: self.lab.status()["counters"]["acknowledged"] > before, 5), self.lab.status())
        self.well("as JSON", "--json", "network", "up", "w1", schema="status")
        self.finds()
        links = {link["address"]: link for link in json.loads(self.ctl("--json", "links")[1])["links"]}
        first, second = (links.get(self.lab.care_of("mn", name), {}) for name in ("w1", "w2"))
        self.lab.check("links says which one is used, and why the other is not", first.get("use") == "chosen" and
                       second.get("use") == "usable" and second.get("why") == "w1 is preferred (2, not 1)", (first, second))
        secret = NODES["mn"]["secret"]
        told = [" ".join(words) for words in (["report"], ["--json", "report"], ["config", "show"], ["keying"])
                if secret in self.ctl(*words)[1]]
        self.lab.check("no secret is in what is told", not told, told)
        self.lab.check("a report has all sections", all(f"\n== {name} ==\n" in "\n" + self.ctl("report")[1] for name in (
            "versions", "doctor", "status", "links", "keying", "sequence", "config", "trace", "events")))
        self.lab.check("events since a time to come are none", self.ctl("events", "--since", "2999-01-01") == (0, "", ""))
        self.lab.check("events of the last hour are all", self.ctl("events", "--since", "1h") == self.ctl("events"))
        time.sleep(2)  # without any
        self.lab.check("events of the last second are none", self.ctl("events", "--since", "1s") == (0, "", ""))

    def is_shown(self, what, colour, words):
        """status on a terminal."""
        terminal = Terminal(program("mip6ctl"), "--socket", str(CONTROL), "status")
        terminal.process.wait(30 * PATIENCE_FACTOR)
        screens = terminal.screens()
        self.lab.check(f"{what} on a terminal: it is {colour}, and not cleared away", words in screens[0] and len(screens) == 1,
                       screens)
        self.lab.check(f"{what} fits a terminal", not (wrong := terminal.misfits(screens)), wrong)
        terminal.end()

    def finds(self):
        """doctor with findings, of the daemon and of mnd --doctor."""
        run("ip", "link", "set", "w1", "mtu", "1300", namespace="mn")
        wait_for(lambda: self.ctl("doctor")[0] == FAILED, 10, 0.5)
        said = self.well("MTU too small", "--json", "doctor", schema="doctor", code=FAILED)
        self.lab.check("MTU too small: doctor has found it", [one["check"] for one in json.loads(said)["findings"]] == ["mtu"],
                       said)
        run("ip", "link", "set", "w1", "mtu", "1500", namespace="mn")
        self.lab.check("MTU as before: doctor finds nothing", wait_for(lambda: self.ctl("doctor")[0] == 0, 10, 0.5),
                       self.ctl("doctor"))
        said = self.well("no daemon", "--json", "doctor", "--config", str(CONFIG), schema="doctor", code=FAILED,
                         socket_path=RUN / "nobody.control")
        self.lab.check("no daemon: doctor has found it", json.loads(said)["findings"][0]["check"] == "running", said)

    def mistakes_commands(self):
        for words in (["nonsense"], ["status", "--follow"], ["config"], ["config", "show", "--config", str(CONFIG)],
                      ["network", "bogus", "w1"], ["help", "nonsense"], ["completion", "csh"], ["events", "--since", "x"]):
            self.refused("wrong usage", USAGE, *words)
        for words in (["status"], ["--json", "refresh"], ["reload"], ["restart"], ["--json", "watch"]):
            self.refused("no daemon", NOT_RUNNING, *words, socket_path=RUN / "nobody.control")
        self.lab.check("without a daemon the version is told", self.ctl("version", socket_path=RUN / "nobody.control")[0] == 0)

    # --- another configuration, another program ---
    def reloads(self):
        with self.same_daemon("reload of what is the same", again=False):
            said = self.well("reload", "--json", "reload", schema="reload")
            self.lab.check("nothing has changed", json.loads(said)["effect"] == "nothing changed", said)
        with self.same_daemon("reload of another lifetime", again=False):
            self.configure("lifetime = 600")
            self.well("reload", "reload")
            wait_for(lambda: (self.lab.status().get("expires_in_s") or 0) > 420, 10)
            self.lab.check("the home agent grants the new lifetime", self.lab.status()["expires_in_s"] > 420, self.lab.status())
        with self.same_daemon("reload of a broken file", again=False):
            self.configure("lifetme = 600\nprotect = everything")
            said = self.refused("reload", FAILED, "--json", "reload")
            self.lab.check("each mistake is told, with what was meant", "did you mean 'lifetime'" in said and
                           "neither signalling nor payload" in said, said)
            self.refused("restart", FAILED, "restart")
            self.lab.check("config check finds them too", self.ctl("config", "check", "--config", str(CONFIG))[0] == FAILED)
            said = self.well("mistakes", "--json", "config", "check", "--config", str(CONFIG), code=FAILED,
                             schema="config-check")
            self.lab.check("each of them", len(json.loads(said)["mistakes"]) == 2, said)
            self.is_shown("status in trouble", "red", "\x1b[31m")
            self.lab.check("the former one is in use, and status says so",
                           json.loads(self.ctl("--json", "status")[1])["lifetime_s"] == 600 and
                           "has 2 mistakes" in self.lab.trouble()[0], self.lab.status())
            self.lab.processes["mnd.mn"].send_signal(signal.SIGHUP)
            self.configure()
            drop_in = RUN / "mn.conf.d"
            drop_in.mkdir(exist_ok=True)
            (drop_in / "10-lifetime.conf").write_text("lifetime = 500\n", encoding="utf-8")
            self.lab.processes["mnd.mn"].send_signal(signal.SIGHUP)
            wait_for(lambda: self.lab.status().get("lifetime_s") == 500, 10)
            self.lab.check("SIGHUP takes the mended one, with what is in its folder",
                           self.lab.status().get("lifetime_s") == 500 and not self.lab.trouble()[0], self.lab.status())
            (drop_in / "10-lifetime.conf").unlink()
        self.configure(interfaces='[interface "w2"]\npreference = 9\n')
        self.well("reload", "reload")
        at = self.lab.wait_registered("mn", self.lab.care_of("mn", "w2"))
        self.lab.check("another preference moves the node", at, self.lab.status())
        self.configure()
        self.well("reload", "reload")
        at = self.lab.wait_registered("mn", self.lab.care_of("mn", "w1"))
        self.lab.check("and back", at, self.lab.status())
        self.renews_keys()
        with self.same_daemon("reload of what a new start is needed for", again=True):
            self.configure("bypass = 2001:db8:77::/48")
            said = self.well("reload", "--json", "reload", schema="reload")
            self.lab.check("it is told", json.loads(said)["effect"] == "takes over", said)

    def renews_keys(self):
        """What keys are agreed with: new ones come, and only then the old ones go."""
        def names():
            return sorted(sa["uniqueid"] for sa in vici.ike_sas(self.lab.vici_socket("mn")))
        before, begin = names(), self.started()
        self.configure("ike-proposals = aes256-sha256-x25519")
        self.well("reload", "reload")
        renewed = wait_for(lambda: len(names()) == 1 and names() != before and self.lab.registered_at("mn"), 15, 0.2)
        self.lab.check("another proposal makes new keys, the same daemon runs", renewed and self.started() == begin,
                       (before, names(), self.lab.status()))

    def begins_anew(self):
        """Another registration, or what cannot be told from one."""
        begin, pid = self.started(), self.lab.processes["mnd.mn"].pid
        other = RUN / "mn.other-state"
        other.mkdir(exist_ok=True)
        CONFIG.write_text(self.text.replace(f"{RUN}/mn.state", str(other)), encoding="utf-8")
        said = self.well("reload of another state folder", "--json", "reload", schema="reload")
        self.lab.check("it is told that mnd starts anew", json.loads(said)["effect"] == "starts anew", said)
        at = self.lab.wait_registered("mn", self.lab.care_of("mn", "w1"), 20)
        self.lab.check("it has registered anew, in the same process", at and self.lab.alive("mnd.mn") and
                       self.lab.processes["mnd.mn"].pid == pid and self.started() != begin and
                       list(other.glob("sequence-*")), self.lab.status())

    def restarts(self):
        with self.same_daemon("restart", again=True):
            self.well("restart", "--json", "restart", schema="reload")
        at = common.move_to(self.lab, "w1", "down", "w2")
        self.lab.check("after a restart the next move is registered", at, self.lab.status())
        self.lab.check("and back", common.move_to(self.lab, "w1", "up", "w1"), self.lab.status())

    # --- until resume ---
    def pauses(self):
        at = self.lab.registered_at("mn")
        self.well("pause", "--json", "pause", schema="result")
        self.configure(interfaces='[interface "w2"]\npreference = 9\n')
        self.well("pause", "reload")
        with self.same_daemon("paused", again=True):
            self.well("pause", "restart")
            second = [link for link in json.loads(self.ctl("--json", "links")[1])["links"] if link["interface"] == "w2"]
            self.lab.check("a paused node stays on its link, also over a restart, and says so", second and all(
                link["why"] == "the node is to stay on another interface" for link in second) and
                self.lab.status().get("paused_on") == "w1", second)
            self.lab.check("it registers there", self.lab.wait_registered("mn", at) == at, self.lab.status())
        self.renames("w1", "wx")
        self.lab.check("the link that it stays on may be renamed", self.lab.wait_registered("mn", self.lab.care_of("mn", "wx"))
                       and self.lab.status().get("paused_on") == "wx", self.lab.status())
        self.renames("wx", "w1")
        self.lab.check("and again", self.lab.wait_registered("mn", self.lab.care_of("mn", "w1")) and
                       self.lab.status().get("paused_on") == "w1", self.lab.status())
        self.well("resume", "--json", "resume", schema="result")
        there = self.lab.wait_registered("mn", self.lab.care_of("mn", "w2"))
        self.lab.check("with resume it moves to the better one", there, self.lab.status())
        self.configure()
        self.well("resume", "reload")
        self.lab.check("and back", self.lab.wait_registered("mn", at) == at, self.lab.status())

    def renames(self, interface, name):
        """As all kernels let it: while it is down."""
        for words in (["down"], ["name", name]):
            run("ip", "-n", "mn", "link", "set", interface, *words)
        run("ip", "-n", "mn", "link", "set", name, "up")
        wait_for(lambda: self.lab.care_of("mn", name), 15)

    def served(self):
        """The care-of address that the home agent has of the node."""
        return next(one["care_of"] for one in self.lab.agent_status()["bindings"] if one["home_address"] == HOME_ADDRESS)

    def goes_home(self):
        self.lab.check("before, the home agent has the node's address", self.served() == self.lab.care_of("mn", "w1"),
                       self.served())
        self.well("home", "--json", "home", schema="result")
        self.lab.check("home: the home agent has no binding any more", self.served() is None, self.lab.agent_status())
        self.refused("home", NOT_REGISTERED, "--json", "refresh")
        status, said, _ = self.ctl("--json", "status")
        self.lab.check("home: status says so", status == NOT_REGISTERED and json.loads(said)["state"] == "de-registered", said)
        self.lab.check("home: that is what the schema says", not self.schemas.mistakes("status", said), said)
        self.lab.check("home: a second time is no mistake", self.ctl("home")[0] == 0)
        self.well("home", "restart")
        self.well("home", "links")
        common.link("w1", "down")
        time.sleep(1)
        common.link("w1", "up")
        wait_for(lambda: self.lab.care_of("mn", "w1"), 10)
        self.lab.check("home: it stays so over a restart and whatever the links do",
                       json.loads(self.ctl("--json", "status")[1])["state"] == "de-registered" and
                       self.served() is None, (self.lab.status(), self.lab.agent_status()))
        self.well("resume", "resume")
        at = self.lab.wait_registered("mn", self.lab.care_of("mn", "w1"), 20)
        self.lab.check("with resume it registers", at, self.lab.status())
        self.lab.check("and is reachable", wait_for(lambda: self.lab.ping("cn", HOME_ADDRESS) >= 2, 5))
        self.lab.check("and resume without a cause is no mistake", self.ctl("resume")[0] == 0)

    # --- who may ask ---
    def is_permitted(self):
        self.refused("a stranger", NOT_PERMITTED, "--json", "status", groups=[])
        self.refused("a stranger", NOT_PERMITTED, "--json", "report", groups=[])
        self.well("a member", "refresh", groups=[common.MEMBERS])
        self.refused("a member", NOT_PERMITTED, "network", "up", "w1", groups=[common.MEMBERS])
        self.configure("control-read = everyone")
        self.well("control-read = everyone", "reload")
        for name in ("status", "links", "keying", "events"):
            self.well("a stranger who may look", name, groups=[])
        for name in ("refresh", "home", "pause", "resume", "reload", "restart"):
            self.refused("a stranger who may look", NOT_PERMITTED, "--json", name, groups=[])
        self.configure()
        self.well("control-read = group", "reload")
        self.refused("a stranger", NOT_PERMITTED, "status", groups=[])

    # --- each change ---
    def notices(self):
        """Starts the example; what it would show, a line each."""
        folder, notices = RUN / "desktop", RUN / "notices.txt"
        folder.mkdir(exist_ok=True)
        (folder / "notify-send").write_text(f'#!/bin/sh\necho "$2|$3" >>{notices}\n', encoding="ascii")
        (folder / "notify-send").chmod(0o755)
        (folder / "mip6ctl").symlink_to(program("mip6ctl"))
        self.lab.start("notify", "mn", "/usr/bin/python3", "-B", str(EXAMPLE), "--socket", str(CONTROL),
                       env={"PATH": f"{folder}:{os.environ['PATH']}"})
        return notices

    def watches(self):
        watch = self.lab.start("watch", "mn", program("mip6ctl"), "--socket", str(CONTROL), "--json", "watch")
        follow = self.lab.start("follow", "mn", program("mip6ctl"), "--socket", str(CONTROL), "--json", "events", "--follow")

        def printed(name):
            return (RUN / f"{name}.log").read_text(encoding="utf-8")
        notices, terminals = self.notices(), self.terminals()
        wait_for(lambda: printed("watch") and printed("follow") and notices.exists(), 10)
        away, back = common.move_to(self.lab, "w1", "down", "w2"), common.move_to(self.lab, "w1", "up", "w1")
        wait_for(lambda: back in printed("watch").splitlines()[-1], 5)
        wanted = [f"Reachable by {name}|{HOME_ADDRESS} is at {at}" for name, at in (("w1", back), ("w2", away), ("w1", back))]
        wait_for(lambda: notices.read_text(encoding="utf-8").splitlines() == wanted, 10)
        self.lab.check("the example shows each move on the desktop", notices.read_text(encoding="utf-8").splitlines() == wanted,
                       (wanted, notices.read_text(encoding="utf-8")))
        self.lab.stop("notify", signal.SIGKILL)
        for one in (watch, follow):
            one.terminate()
            one.wait()
        lines = printed("watch").splitlines()
        self.lab.check("watch is what the schema says", not (found := self.schemas.mistakes("status", "\n".join(lines))),
                       found[:3])
        self.lab.check("events that are followed are, too", not (found := self.schemas.mistakes("event", printed("follow"))),
                       found[:3])

        def essence(line):
            said = json.loads(line)
            (said.get("last_error") or {}).pop("ago_s", None)
            return {key: value for key, value in said.items() if key not in ("expires_in_s", "counters")}
        same = [a for a, b in zip(lines, lines[1:]) if essence(a) == essence(b)]
        at = [json.loads(line)["registered_at"] for line in lines]
        self.lab.check("watch has one object for each change", not same and away in at and at[-1] == back, (same, at))
        for what, one in terminals.items():
            self.redraws(what, one, away, back)

    def terminals(self):
        """watch on each of them."""
        command = program("mip6ctl"), "--socket", str(CONTROL), "watch"
        return {"watch": Terminal(*command), "watch without colours": Terminal(*command, NO_COLOR="1"),
                f"watch in {FEW_ROWS} rows": Terminal(*command, rows=FEW_ROWS)}

    def redraws(self, what, terminal, away, back):
        """The node has gone away and come back; the last screen may be half of one."""
        def drawn():
            return terminal.screens()[1:-1]
        wait_for(lambda: (screens := drawn()) and any(away in one for one in screens) and back in screens[-1], 10)
        before, screens = terminal.screens()[0], drawn()
        self.lab.check(f"{what} on a terminal is drawn again from the top with each move", not before and screens and
                       any(away in one for one in screens) and back in screens[-1], screens[-2:])
        self.lab.check(f"{what} fits a terminal", not (wrong := terminal.misfits(screens)), wrong)
        wanted = "without" not in what
        self.lab.check(f"{what} on a terminal has {'colours' if wanted else 'none'}", screens and
                       all(bool(COLOUR.search(one)) == wanted for one in screens), screens[-1:])
        terminal.end()

    # --- a thousand others ---
    def is_beside_a_crowd(self):
        resource.setrlimit(resource.RLIMIT_NOFILE, (3 * CROWD, 3 * CROWD))
        quiet = self.moves("alone")
        crowd = []
        wait_for(lambda: self.joins(crowd), 30, 0.01)
        self.lab.check(f"{CROWD} clients have been connected", len(crowd) == CROWD, len(crowd))
        greedy = self.lab.start("greedy", "mn", "/usr/bin/python3", "-B", str(HERE / "guest/greedy.py"), str(CONTROL), "16",
                                '{"command": "status"}')
        begin = self.lab.usage("mnd.mn")["cpu_ms"]
        wait_for(lambda: self.lab.usage("mnd.mn")["cpu_ms"] > begin + 100, 10)
        crowded = self.moves("beside a crowd")
        self.lab.check("those who ask without end went on all the time", greedy.poll() is None)
        self.lab.stop("greedy")
        self.lab.check("somebody else is answered", self.ctl("status")[0] == 0)
        held = len(os.listdir(f"/proc/{self.lab.processes['mnd.mn'].pid}/fd"))
        self.lab.check("mnd has not more descriptors than it serves clients", held < 64 + 60, held)
        for one in crowd:
            one.close()
        self.lab.checks.figure(f"from the kernel's notification to the update: {quiet} ms alone, {crowded} ms beside {CROWD} "
                               "clients and 16 that ask without end")

    @staticmethod
    def joins(crowd):
        """As many more of them as there is room for: those who wait for mnd to take them are limited in number."""
        forms = (b'{"command": "sta', b"\xff\xfe\0 garbage\n" * 100, b"x" * 70_000, b'{"command": "watch"}\n' * 50)
        while len(crowd) < CROWD:
            one = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            one.setblocking(False)
            try:
                one.connect(str(CONTROL))
            except BlockingIOError:
                one.close()
                return False
            with contextlib.suppress(OSError):  # mnd has others by now
                one.send(forms[len(crowd) % len(forms)])
            crowd.append(one)
        return True

    def moves(self, what):
        """There and back; from the notification to the sent update, in ms."""
        took = []
        for state, target in (("down", "w2"), ("up", "w1")):
            at = common.move_to(self.lab, "w1", state, target)
            self.lab.check(f"{what} the node moves to {target}", at, self.lab.status())
            steps = {step["step"]: step["us"] for step in self.lab.status("mn", "trace")["moves"][-1]["steps"]}
            self.lab.check(f"{what}: it is told when the update was sent", "update sent" in steps, steps)
            took.append(round(steps.get("update sent", -1) / 1000, 1))
        return took
