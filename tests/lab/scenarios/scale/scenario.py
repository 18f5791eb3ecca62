"""What the number of nodes costs kernel, charon and whoever asks: a home agent starts with 10, 1,000 and 10,000 nodes, all
but two of them bound. Each one's payload goes its own way and no other; updates are answered in time, also while all nodes
are listed and the configuration is read again. One that runs with 10 is brought to 10,000 by `mip6-ha add --from`. The
figures go to result.json; payload through the agent stands beside a hand-made tunnel and plain forwarding, its one device
beside a device for each node."""

import json
import os
import shutil
import statistics
import time

import common
import crowd
import deluge
import devices
import kernel
import many
import spoof
import vici
from lab import CORRESPONDENT, HOME_ADDRESS, HOME_AGENT, OUT, RUN, ask, program, run, wait_for

SIZES = tuple(int(size) for size in os.environ.get("LAB_SIZES", "10 1000 10000").split())
DEVICES = int(os.environ.get("LAB_DEVICES", "2000"))
ADDED = 50  # that come and go by a new configuration
FIGURE = {}  # what goes to result.json
ROUNDS = 9
# What is wanted; a test judges ten times that, since another machine's work is in all of these.
RATIO, OF_IP6TNL, HELD, ADD, GUARD = 1.5, 0.9, 0.1, 60, 10


def prepare():
    """Secrets, configurations and databases, on this machine."""
    deluge.build()
    crowd.prepare(SIZES, ADDED)


def scenario(lab):
    lab.agent_extra = "tolerate = all"  # the updates of one node are as many as can be
    lab.nodes = many.Nodes(1)
    FIGURE["programs"] = os.path.basename(os.path.realpath(os.environ["LAB_BIN_DIR"]))  # the preset: its speed is measured
    common.charons(lab, "mn")
    grow(lab, SIZES[-1])
    for size in SIZES:
        one = Size(lab, size)
        FIGURE[str(size)] = one.found
        one.measure()
    first, last = FIGURE[str(SIZES[0])], FIGURE[str(SIZES[-1])]
    if not lab.check("there are figures to compare", "update_ms" in first and "update_ms" in last, FIGURE):
        return
    ratio = FIGURE["update_ratio"] = round(last["update_ms"] / first["update_ms"], 2)
    lab.checks.note(f"an update takes {ratio:.2f} times as long with {SIZES[-1]} nodes as with {SIZES[0]}; wanted: below "
                    f"{RATIO}")
    lab.check(f"an update does not take {RATIO * GUARD:.0f} times as long with {SIZES[-1]} nodes", ratio < RATIO * GUARD,
              FIGURE)
    FIGURE["devices"] = devices.compare(lab, DEVICES)
    (OUT / "result.json").write_text(json.dumps(FIGURE, indent=1) + "\n", encoding="utf-8")
    show(lab)


def show(lab):
    """A table of what there is for each size."""
    names = list(dict.fromkeys(name for size in SIZES for name in FIGURE[str(size)]))
    for name in ["nodes", *names]:
        row = [str(size) if name == "nodes" else str(FIGURE[str(size)].get(name, "-")) for size in SIZES]
        lab.checks.figure(f"{name:<28}" + "".join(f"{value:>14}" for value in row))
    for name in ("programs", "grown", "update_ratio", "devices"):
        lab.checks.figure(f"{name} {json.dumps(FIGURE[name])}")


def grow(lab, size):
    """`mip6-ha add --from` beside a home agent that runs: no node before it notices, and one after it is served."""
    here = json.loads(crowd.ADDED.read_text(encoding="utf-8"))
    figure = FIGURE["grown"] = {"add_s_here": here["seconds"]}
    lab.check(f"mip6-ha add --from makes {size} nodes on this machine", here["all"], figure)
    lab.charon("ha")
    small = Size(lab, crowd.GROWING, crowd.state_directory("growing"))
    small.start()
    small.load()
    names = crowd.table(RUN / "table", size - crowd.GROWING)
    lab.check("an update is answered before", small.update(lab.nodes, 30))  # detects duplicates
    tap, nodes, begin = crowd.Stamped("ha", "wan"), lab.nodes, time.monotonic()
    nodes.work()
    added = run(program("mip6-ha"), "--config", str(RUN / "ha.conf"), "add", "--from", str(RUN / "table"), check=False)
    figure["add_s"] = round(time.monotonic() - begin, 1)
    lab.check(f"it takes less than {ADD * GUARD} s, beside a home agent or without; wanted: below {ADD}",
              max(figure["add_s"], here["seconds"]) < ADD * GUARD, figure)
    lab.check("it has added all of them", len(added.splitlines()) >= len(names), added[-300:])
    listed = {one["name"]: one for one in ask(RUN / "ha.control", "list", 60).get("bindings", [])}
    lab.check("all of them are served when it returns", len(listed) == size and not set(names) - listed.keys(), len(listed))
    nodes.rest()
    figure["held_ms"] = round(max(tap.times(crowd.is_update, crowd.is_acknowledgement), default=10_000))
    lab.check("no update waits for it", figure["held_ms"] < HELD * GUARD * 1000, figure)
    lab.check("charon has the connection of each", wait_for(
        lambda: len(vici.connections(lab.vici_socket("ha"))) == size - 1, 900, 0.2 + size / 5000))
    figure["until_charon_has_all_s"] = round(time.monotonic() - begin, 1)
    last, home = names[-1], listed[names[-1]]["home_address"]
    secret = (RUN / "nodes.d" / f"{last}.secret").read_text(encoding="utf-8").strip()
    lab.node("mn", wrong={"home_address": home, "identity": home, "secret": secret, "name": last})
    lab.check("the last one that was added agrees keys and registers", lab.wait_registered("mn", timeout=40), lab.status("mn"))
    lab.stop("mnd.mn")
    lab.check("the home agent of many more nodes ends in time", lab.stop("ha", timeout=120) == 0)
    lab.stop("charon.ha")
    shutil.rmtree(lab.state / "mn.state")  # of another address than those below
    lab.checks.note(f"grown to {size} nodes: {figure}")


class Size:
    def __init__(self, lab, size, state=None):
        self.lab, self.size, self.found = lab, size, {}
        self.state = state or crowd.state_directory(size)

    def note(self, name, value):
        self.found[name] = value
        self.lab.checks.note(f"{self.size} nodes: {name} = {value}")

    def check(self, text, ok, detail=""):
        return self.lab.check(f"{self.size} nodes: {text}", ok, detail)

    def measure(self):
        lab, size = self.lab, self.size
        lab.charon("ha")
        self.note("charon_rss_kib_before", lab.usage("charon.ha")["rss_kib"])
        self.start()
        self.load()
        self.updates()
        self.each_its_own()
        self.control()
        self.ike()
        if size in (SIZES[0], SIZES[-1]):
            self.payload()
        self.note("agent_rss_kib", lab.usage("ha")["rss_kib"])
        begin = time.monotonic()
        lab.stop("mnd.mn")
        self.check("the home agent ends in time", lab.stop("ha", timeout=120) == 0)
        self.note("stop_s", round(time.monotonic() - begin, 2))
        lab.stop("charon.ha")

    # --- the start ---
    def configure(self, others):
        config = self.lab.agent_config()
        text = config.read_text(encoding="utf-8").replace(f"{self.lab.state}/ha.state", str(self.state))
        config.write_text(text.split("[node desk]")[0], encoding="utf-8")
        crowd.write_sections(RUN / "nodes.d", others)
        return config

    def start(self):
        lab, others = self.lab, self.size - 2
        config, routes, begin = self.configure(others), crowd.Routes(), time.monotonic()
        lab.start_daemon("ha", "ha", "mip6-ha", config)
        routes.wait(others, 120 + self.size / 20, lambda: lab.alive("ha"))
        if not self.check("what was bound has its routes again", routes.count >= others, routes.count):
            raise RuntimeError("the home agent does not serve: see ha.log")
        if self.size >= 100:
            self.note("tunnels_and_routes_per_s", round(others / max(routes.last - routes.first, 1e-3)))
        self.note("until_first_route_s", round(routes.first - begin, 2))
        self.note("start_until_all_routes_s", round(routes.last - begin, 2))
        self.check("it answers", wait_for(lambda: "counters" in lab.agent_status(), 60, 0.1))
        self.note("start_until_it_answers_s", round(time.monotonic() - begin, 2))

    def load(self):
        """Charon's part; the home agent serves meanwhile."""
        lab, wanted, begin = self.lab, self.size - 1, time.monotonic()
        self.check("charon has the connection of each", wait_for(
            lambda: len(vici.connections(lab.vici_socket("ha"))) == wanted, 900, 0.2 + self.size / 5000))
        self.note("charon_load_s", round(time.monotonic() - begin, 2))
        self.note("charon_rss_kib", lab.usage("charon.ha")["rss_kib"])

    # --- updates ---
    def updates(self, count=200, batches=5):
        """From an update to its acknowledgement on the home agent's link; each is a move. What else this machine does can only
        add to it: the smallest of the batches' medians counts."""
        tap, nodes, medians = crowd.Stamped("ha", "wan"), self.lab.nodes, []
        self.update(nodes, 30)  # detects duplicates before the first
        list(tap.frames())
        for _ in range(batches):
            for _ in range(count):
                if not self.update(nodes, 30):
                    break
            times = tap.times(crowd.is_update, crowd.is_acknowledgement)
            if not self.check("updates are acknowledged", len(times) >= count, (len(times), nodes.refusals[-3:])):
                return
            medians.append(round(statistics.median(times), 2))
        self.note("update_ms", min(medians))
        self.note("update_medians_ms", medians)

    @staticmethod
    def update(nodes, timeout):
        before = len(nodes.times)
        for _ in range(3):  # the link may lose one
            nodes.send(nodes.all)
            if wait_for(lambda: len(nodes.times) > before, timeout / 3, 0.001):
                return True
        return False

    # --- payload of each ---
    def each_its_own(self):
        payload = crowd.Payload(self.size - 2)
        right = {spoof.packed(one.home_address): {spoof.packed(one.care_of)} for one in payload.all}
        found = payload.to_nodes()
        wrong = [one for one in right if found.get(one) != right[one]]
        self.check("payload of each goes to its own care-of address and no other", not wrong, (len(wrong), wrong[:3]))
        found = payload.from_nodes()
        self.check("payload from each one's care-of address is forwarded", found.keys() == right.keys(),
                   (len(found), len(right)))
        dropped = self.lab.agent_status()["counters"]["tunnel_dropped"]
        found = payload.from_nodes(shift=1)
        self.check("none from another's is", not found, len(found))
        dropped = self.lab.agent_status()["counters"]["tunnel_dropped"] - dropped
        self.check("and all of these are counted", dropped >= len(right) - 1, dropped)
        payload.close()

    # --- the control socket ---
    def control(self):
        """Commands while updates of one node come as fast as they are answered."""
        tap, nodes = crowd.Stamped("ha", "wan"), self.lab.nodes
        nodes.work()
        self.asked(tap, "nothing", lambda: time.sleep(2) or True)
        self.asked(tap, "list", lambda: len(ask(RUN / "ha.control", "list", 60).get("bindings", [])) == self.size)
        self.asked(tap, "status", lambda: len(self.lab.agent_status().get("bindings", [])) == self.size)
        self.asked(tap, "show", lambda: ask(RUN / "ha.control", "show", node="other7")["node"]["care_of"])
        self.asked(tap, "list by mip6-ha", lambda: len(run(program("mip6-ha"), "--socket", str(RUN / "ha.control"), "list")
                                                       .splitlines()) == self.size + 1)
        self.configure(self.size - 2 + ADDED)
        self.asked(tap, "reload that adds", lambda: self.reloaded()["added"]["count"] == ADDED)
        self.configure(self.size - 2)
        self.asked(tap, "reload that removes", lambda: self.reloaded()["removed"]["count"] == ADDED)
        nodes.rest()

    @staticmethod
    def reloaded():
        answer = ask(RUN / "ha.control", "reload", 300)
        return answer if "added" in answer else {"added": {"count": answer}, "removed": {"count": answer}}

    def asked(self, tap, what, action):
        list(tap.frames())
        begin = time.monotonic()
        right = action()
        took = time.monotonic() - begin
        answered = len(self.lab.nodes.times)
        wait_for(lambda: len(self.lab.nodes.times) > answered, 10, 0.01)  # what is outstanding by now
        times = tap.times(crowd.is_update, crowd.is_acknowledgement)
        self.check(f"{what}: answered, and the answer is right", right)
        longest = max(times, default=10_000)
        name = what.replace(" ", "_")
        self.note(f"{name}_ms", round(took * 1000))
        self.note(f"{name}_held_ms", round(longest, 1))
        self.check(f"{what}: no update waits for it", longest < HELD * GUARD * 1000, longest)

    # --- keys ---
    def ike(self, count=21):
        """From the IKE_AUTH to its answer on the home agent's link, not the first, for which pages are new."""
        tap = crowd.Stamped("ha", "wan")
        for _ in range(count):
            self.lab.stop("mnd.mn")
            self.lab.node("mn")
            if not self.check("a node agrees keys and registers", self.lab.wait_registered("mn", timeout=40),
                              self.lab.status("mn")):
                break
        times = tap.times(lambda frame: crowd.is_ike_auth(frame, False), lambda frame: crowd.is_ike_auth(frame, True))[1:]
        self.note("ike_auth_ms", round(statistics.median(times), 1) if times else None)
        self.note("ike_auth_range_ms", f"{min(times):.0f}..{max(times):.0f}" if times else None)
        self.note("ike_auths", len(times))

    # --- payload ---
    def payload(self):
        """Packets a second from the correspondent until they are there, whole network included: one processor does it all.
        The three ways take turns."""
        lab, care_of, by_hand = self.lab, self.lab.registered_at("mn"), "2001:db8:1::99"
        ends = {"ha": (HOME_AGENT, care_of), "mn": (care_of, HOME_AGENT)}
        for namespace, (local, remote) in ends.items():
            run("ip", "-6", "tunnel", "add", "hand", "mode", "ip6ip6", "local", local, "remote", remote, "encaplimit", "none",
                namespace=namespace)
            run("ip", "link", "set", "hand", "up", namespace=namespace)
        run("ip", "-6", "route", "add", f"{by_hand}/128", "dev", "hand", namespace="ha")
        host = next(one.local for one in kernel.addresses("hh", "eth0"))
        ways = {"agent": (HOME_ADDRESS, "mn", "mip6"), "ip6tnl": (by_hand, "mn", "hand"), "forwarding": (host, "hh", "eth0")}
        rates = {name: [] for name in ways}
        lab.ping("cn", host, 1)  # neighbours are known then
        for _ in range(ROUNDS):
            for name, (target, namespace, device) in ways.items():
                # With the hand-made tunnel there, the agent's device would not get what comes from the same addresses.
                run("ip", "link", "set", "hand", "up" if name == "ip6tnl" else "down", namespace="mn")
                there, rate = delivered(target, namespace, device)
                self.check(f"payload by {name}: packets arrive", there > devices.PACKETS // 2, there)
                rates[name].append(rate)
        for namespace in ends:
            run("ip", "link", "del", "hand", namespace=namespace)
        for name, seen in rates.items():
            self.note(f"payload_{name}_per_s", round(statistics.median(seen)))
        share = self.found["payload_agent_per_s"] / max(self.found["payload_ip6tnl_per_s"], 1)
        self.note("payload_of_ip6tnl", round(share, 2))
        each = [agent / max(hand, 1) for agent, hand in zip(rates["agent"], rates["ip6tnl"])]
        self.note("payload_of_ip6tnl_range", f"{min(each):.2f}..{max(each):.2f}")
        self.check(f"payload through the agent is not below {OF_IP6TNL / GUARD:.2f} of that through ip6tnl",
                   share > OF_IP6TNL / GUARD, self.found)


def delivered(target, namespace, device):
    frame = deluge.mac("core", "r4") + deluge.mac("cn", "wan") + b"\x86\xdd" + \
        spoof.ipv6(CORRESPONDENT, target, crowd.NO_NEXT_HEADER, bytes(devices.SIZE))
    return devices.sprayed(frame, namespace, device)
