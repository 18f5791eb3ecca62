"""K refused, with an update every 20 ms: not one update and not one acknowledgement is lost for want of an SA while IKE is
established anew, after soft and hard moves, over a re-key asked by the node, and after the clock was set back, when the
kernel takes the old states for the newest. Never more than two IKE_SAs. What the policy names is always there. Where charon
hangs, or its response is lost, the old keys carry on. Then the home agent's mind changes: it comes back with K, without it
again, and with a state folder of the beginning; each time the node goes the new way with the next acknowledgement."""

import contextlib
import re
import shutil
import signal
import threading
import time

import attack
import common
import ordering
import router_filter
import vici
import wire
from flood import Stream
from lab import HOME_ADDRESS, HOME_AGENT, NODES, REQID_AGENT, RUN, run, say, wait_for

CLOCK_BACK = 100  # seconds
MOVES = 6  # and re-keys, in each of which an SA goes
NEAR, FAR = "10ms", "400ms"  # from the access routers to the node
INTO_THE_EXCHANGE = 0.3  # seconds, of the time that an exchange takes


def scenario(lab):
    for namespace in ("ar1", "ar2"):
        run("tc", "-n", namespace, "qdisc", "add", "dev", "acc", "root", "netem", "delay", NEAR, "limit", "10000")
    lab.agent_extra = "tolerate = all"  # this stream is what scenario ill-behaved is about
    # Of 30 seconds: what a move has left of an IKE_SA_INIT is not to be there at the end.
    lab.charon_extra["ha"] = "half_open_timeout = 8"
    if not common.begin(lab, capture=False, key_mobility=False):
        return
    shutil.copytree(RUN / "ha.state", RUN / "ha.backup")
    # Both links are there; what was lost while they came up is nobody's.
    wait_for(lambda: lab.care_of("mn", "w2"), 6)
    before = {n: lab.xfrm_errors(n) for n in ("mn", "ha")}
    watches = {n: vici.Watch(lab.vici_socket(n)) for n in ("mn", "ha")}
    stream = Stream(lab, lab.care_of("mn", "w1"))
    moves(lab, stream, "")
    rekey_child(lab)
    run("date", "-s", f"@{int(time.time()) - CLOCK_BACK}")
    moves(lab, stream, "the clock set back, ")
    rekey_child(lab)
    result = stream.end()
    say(f"  {result}")
    lab.check("a few hundred updates were sent and answered", result["sent"] > 300 and result["answered"] > 300, result)
    # charon may remove the old SA just when an answer is sent under it: the kernel drops that one, or the node has it twice.
    more = {n: {key: value - was.get(key, 0) for key, value in lab.xfrm_errors(n).items() if value != was.get(key, 0)}
            for n, was in before.items()}
    dropped, again = more["ha"].pop("XfrmOutNoStates", 0), lab.agent_status()["counters"]["sent_again"]
    lab.check("not one update or acknowledgement was lost", result["sent"] == result["answered"] + dropped - again and
              not result["refused"], (result, dropped, again))
    lab.check("what the kernel dropped since the SA had gone was sent once more", dropped <= again <= MOVES, (dropped, again))
    common.check_events(lab, "IKE established from", "IKE re-established from", "SAs with the home agent were re-keyed")
    for namespace, others in more.items():
        lab.check(f"{namespace}: the kernel dropped nothing else for want of an SA or policy", not others, others)
        check_count(lab, namespace, watches[namespace])
    within_the_exchange(lab)
    during_a_rekey(lab)
    charon_hangs(lab, "up", "w1", 4)  # longer than the node waits for its answer
    response_lost(lab)
    changes_its_mind(lab)
    unpinned(lab)
    common.stop_and_compare(lab)


def moves(lab, stream, when):
    for state, target in (("down", "w2"), ("up", "w1")):
        old = lab.registered_at("mn")
        stream.pause()
        tap = attack.Tap("ha", "wan")
        at = common.move_to(lab, "w1", state, target)
        one = wait_for(lambda a=at: all(e == [a] for e in lab.ike_endpoints()[:2]), 5, 0.1)
        lab.check(f"{when}w1 {state}: registered, and the new IKE_SA is the only one at both ends", at and one,
                  f"{old} -> {at}: {lab.ike_endpoints()[:2]}")
        ike = tap.ike(0.5)
        lab.check(f"{when}w1 {state}: with six IKE packets in all", len(ike) == 6,
                  [(packet.source, wire.ike_exchange(packet)) for packet in ike])
        check_policy(lab, f"{when}w1 {state}")


def rekey_child(lab):
    """As the node asks for it: the home agent has the new keys first."""
    socket = lab.vici_socket("mn")
    before = live_spis(socket)
    for name in {c["name"] for sa in vici.ike_sas(socket) for c in sa.get("child-sas", {}).values()}:
        vici.ask(socket, "rekey", {"child": name})
    lab.check("a re-key asked by the node is done", wait_for(lambda: not live_spis(socket) & before, 5), before)
    time.sleep(0.5)
    check_policy(lab, "after a re-key")


def live_spis(socket):
    """Inbound SPIs of all installed children."""
    return {c["spi-in"] for sa in vici.ike_sas(socket) for c in sa.get("child-sas", {}).values()
            if c.get("state") == "INSTALLED"}


def policy_spi():
    """The SPI that the home agent's outbound policy for mobility messages names, 0 if none."""
    text = run("ip", "xfrm", "policy", namespace="ha")
    mobility = rf"src {HOME_AGENT}/128 dst {HOME_ADDRESS}/128 proto (?!ipv6-icmp|58 )[^\n]*\n"
    found = re.search(mobility + r"\tdir out priority 1.*?reqid (\d+)", text, re.DOTALL)
    assert found and int(found.group(1)) >= REQID_AGENT, text
    spi = re.search(r"spi (0x[0-9a-f]+)", found.group(0))
    return int(spi.group(1), 16) if spi else 0


def check_policy(lab, when):
    """With a stream of updates the policy names the one pair that is left, a moment later."""
    def named():
        spi = policy_spi()
        installed = {int(c["spi-out"], 16) for sa in vici.ike_sas(lab.vici_socket("ha"))
                     if sa.get("remote-id") == NODES["mn"]["identity"]
                     for c in sa.get("child-sas", {}).values() if c.get("state") == "INSTALLED"}
        return spi if installed == {spi} else None
    lab.check(f"{when}: the home agent's policy names the SA in use", wait_for(named, 3, 0.1), hex(policy_spi()))


def check_count(lab, namespace, watch):
    """Never more than two IKE_SAs with the node, as charon's events tell it."""
    identity = NODES["mn"]["identity"]
    there, most = 1, 1
    for _, event, up, _, section in watch.events:
        if event == "ike-updown" and identity in (section.get("local-id"), section.get("remote-id")):
            there += 1 if up else -1
            most = max(most, there)
    lab.check(f"{namespace}: never more than two IKE_SAs, one at the end", most == 2 and there == 1, (most, there))


class Counted(threading.Thread):
    """The most IKE_SAs with the node that each charon's list-sas has had, asked again and again."""

    def __init__(self, lab):
        super().__init__(daemon=True)
        self.sockets = {n: lab.vici_socket(n) for n in ("mn", "ha")}
        self.most, self.asked, self.running = {n: [] for n in self.sockets}, 0, True
        self.start()

    def run(self):
        identity = NODES["mn"]["identity"]
        while self.running:
            for namespace, socket in self.sockets.items():
                mine = [(sa["state"], sa["local-host"], sa["remote-host"]) for sa in vici.ike_sas(socket)
                        if namespace == "mn" or sa.get("remote-id") == identity]
                self.most[namespace] = max(self.most[namespace], mine, key=len)
            self.asked += 1
            time.sleep(0.03)


def within_the_exchange(lab):
    """Three moves while IKE is on its way for the first of them."""
    distance(FAR)
    counted, begun = Counted(lab), common.charon_said("mn", "initiating IKE_SA")
    common.link("w1", "down")
    wait_for(lambda: common.charon_said("mn", "initiating IKE_SA") > begun, 5, 0.01)
    for state in ("up", "down", "up"):
        time.sleep(INTO_THE_EXCHANGE)
        common.link("w1", state)
    lab.check("four moves within one IKE exchange: registered, and one IKE_SA, from the last address at both ends",
              settled(lab, "w1"), (lab.ike_endpoints(), lab.status("mn")))
    counted.running = False
    counted.join()
    distance(NEAR)
    for namespace, most in counted.most.items():
        lab.check(f"{namespace}: never more than two IKE_SAs meanwhile", counted.asked > 5 and 1 <= len(most) <= 2,
                  (counted.asked, most))


def during_a_rekey(lab):
    """The old IKE_SA is in the middle of an exchange when the node moves."""
    distance(FAR)
    asked = common.charon_said("mn", "generating CREATE_CHILD_SA request")
    vici.ask(lab.vici_socket("mn"), "rekey", {"child": "reg"})
    begun = wait_for(lambda: common.charon_said("mn", "generating CREATE_CHILD_SA request") > asked, 5, 0.01)
    time.sleep(INTO_THE_EXCHANGE)
    common.link("w1", "down")
    lab.check("a move during a re-key: registered, and one IKE_SA, from the new address",
              begun and settled(lab, "w2", ends=1), (lab.ike_endpoints(), lab.status("mn")))
    distance(NEAR)
    lab.check("and the next update is answered", ordering.refresh(), lab.status("mn"))
    lab.check("which shows the home agent that the node has the new one: no other is left there either",
              settled(lab, "w2"), lab.ike_endpoints())


def settled(lab, interface, ends=2):
    def there():
        at = lab.care_of("mn", interface)
        return at and lab.registered_at("mn") == at and all(e == [at] for e in lab.ike_endpoints()[:ends])
    return wait_for(there, 15, 0.2)


def distance(delay):
    for namespace in ("ar1", "ar2"):
        run("tc", "-n", namespace, "qdisc", "change", "dev", "acc", "root", "netem", "delay", delay, "limit", "10000")


def unpinned(lab):
    """A state that somebody else removes is named by no policy after the next update, though the kernel makes another one of
    the same name, without keys, for what it sends meanwhile: charon may remove the old one between look and answer."""
    ordering.refresh()  # an update still on its way would make the home agent look in between
    check_policy(lab, "after them and an update")
    spi = policy_spi()
    run("ip", "xfrm", "state", "delete", "src", HOME_AGENT, "dst", HOME_ADDRESS, "proto", "esp", "spi", hex(spi),
        namespace="ha")

    def made():
        with contextlib.suppress(OSError):
            attack.Speaker("ha", HOME_AGENT, HOME_ADDRESS).acknowledgement(0)
        return run("ip", "xfrm", "state", "get", "src", HOME_AGENT, "dst", HOME_ADDRESS, "proto", "esp", "spi", hex(spi),
                   namespace="ha", check=False)
    waits = wait_for(lambda: hex(spi) in (state := made()) and "enc" not in state, 5, 0.1)
    lab.check("the kernel waits for a state of that name", waits, (made(), hex(policy_spi())))
    lab.status("mn", "refresh")
    lab.check("a policy never stays with a state that is gone", spi and wait_for(lambda: policy_spi() == 0, 5, 0.1),
              hex(policy_spi()))
    rekey_child(lab)  # so that the end is answered


def connection(lab):
    """Initiator SPIs of the IKE_SAs at the node: what a new connection changes, and a move does not."""
    return {sa["initiator-spi"] for sa in vici.ike_sas(lab.vici_socket("mn"))}


def charon_hangs(lab, state, target, seconds):
    """The node's: what is to be replaced serves until its replacement is there, however long that takes."""
    charon, old = lab.processes["charon.mn"], connection(lab)
    before, end = ordering.node()["counters"], time.monotonic() + seconds
    charon.send_signal(signal.SIGSTOP)
    at = common.move_to(lab, "w1", state, target)
    answered = [ordering.refresh()]
    while all(answered) and time.monotonic() < end:
        time.sleep(1)
        answered.append(ordering.refresh())
    after = ordering.node()["counters"]
    lab.check("charon hangs: the move is registered, and updates are answered, each with its first sending",
              at and all(answered) and after["retransmissions"] == before["retransmissions"], (at, answered, before, after))
    charon.send_signal(signal.SIGCONT)
    lab.check("when it goes on there is one IKE_SA, a new one, from there at both ends",
              settled(lab, target) and wait_for(lambda: len(connection(lab) - old) == len(connection(lab)) == 1, 5, 0.1),
              (lab.ike_endpoints(), lab.status("mn")))


def response_lost(lab):
    """The home agent has new keys, the node has not: what it has serves wherever it goes, and when it comes back."""
    lost = ("OUTPUT", "-p", "udp", "--sport", "500", "-m", "length", "--length", "320:", "-j", "DROP")
    router_filter.modules(("ip6table_filter", "xt_tcpudp", "xt_length"))
    run("ip6tables-legacy", "-A", *lost, namespace="ha")
    old, before = connection(lab), ordering.node()["counters"]
    at, answered, seen = [], [], []
    for state, target in (("down", "w2"), ("up", "w1")):
        at.append(common.move_to(lab, "w1", state, target))
        seen.append(len(lab.ike_endpoints()[1]))
        for _ in range(4):  # longer than the home agent leaves to the node what it has replaced
            time.sleep(1)
            answered.append(all(answered) and ordering.refresh())
    after, there = ordering.node()["counters"], connection(lab)
    dropped = int(run("ip6tables-legacy", "-nvxL", "OUTPUT", namespace="ha").splitlines()[2].split()[0])
    run("ip6tables-legacy", "-D", *lost, namespace="ha")
    lab.check("no IKE_AUTH response arrives: the node keeps its connection, and each update is answered at once",
              dropped and seen[0] == 2 and all(at) and all(answered) and old <= there and
              after["retransmissions"] == before["retransmissions"],
              (dropped, seen, at, answered, old, there, before, after))
    for state, target in (("down", "w2"), ("up", "w1")):
        common.move_to(lab, "w1", state, target)
        lab.check(f"when they arrive again, w1 {state}: one IKE_SA, a new one, from there at both ends",
                  settled(lab, target) and not connection(lab) & old, (lab.ike_endpoints(), connection(lab), old))


# --- the home agent's mind ---

def changes_its_mind(lab):
    """There and back by its settings, then as somebody who goes back to a backup."""
    first = connection(lab)
    answers(lab, "K agreed from now on", True)
    answers(lab, "K refused again", False)
    lab.check("the node has not moved meanwhile: nothing is established anew", connection(lab) == first, connection(lab))
    second = moved(lab, "K refused again", "down", "w2")
    lab.check("for the move IKE was established anew", len(second) == 1 and second != first, (first, second))
    answers(lab, "an old state folder, and K agreed", True, RUN / "ha.backup")
    lab.check("the home address is reachable", wait_for(lambda: lab.ping("cn", HOME_ADDRESS) >= 2, 5))
    third = moved(lab, "an old state folder, and K agreed", "up", "w1")
    lab.check("the move costs no new connection", third == second, (second, third))
    answers(lab, "an old state folder, and K refused", False, RUN / "ha.backup")
    lab.check("IKE, which has moved before, is established anew at once", wait_for(
        lambda: len(connection(lab) - third) == len(connection(lab)) == 1 and settled(lab, "w1"), 5, 0.1), connection(lab))
    fourth = connection(lab)
    fifth = moved(lab, "an old state folder, and K refused", "down", "w2")
    lab.check("and so it is for the next move", len(fifth) == 1 and fifth != fourth, (fourth, fifth))


def answers(lab, what, key_mobility, backup=None):
    lab.stop("ha", signal.SIGKILL)
    if backup:
        shutil.rmtree(RUN / "ha.state")
        shutil.copytree(backup, RUN / "ha.state")
    lab.agent(key_mobility)
    lab.check(f"{what}: the next acknowledgement says so", ordering.ready(lab) and ordering.refresh() and
              lab.status("mn").get("key_mobility") is key_mobility, lab.status("mn"))


def moved(lab, what, state, target):
    common.link("w1", state)
    lab.check(f"{what}: a move is registered, both ends of the one IKE_SA follow", settled(lab, target),
              (lab.ike_endpoints(), lab.status("mn")))
    return connection(lab)
