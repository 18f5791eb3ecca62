"""charon hung, killed, upgraded, replaced by something that talks nonsense or not at all: the registration lives on with
the SAs that are there, and everything is back when charon is. The administrator's own connection, its traffic, its
secret and `swanctl --load-all` live beside ours, whatever we do."""

import re
import signal
import time
from pathlib import Path

import common
import esp
import ordering
import vici
from foreign import NAME, Foreign
from lab import HOME_ADDRESS, HOME_AGENT, RUN, run, wait_for

IMPOSTOR = Path(__file__).resolve().parent.parent.parent / "guest" / "impostor.py"
STRANGER = "0x00000999"  # SPI of a state between our two addresses that is not ours
ORPHAN, YOUNG = "0x00000998", "0x00000997"  # of states with the node's own reqid at the home agent


def scenario(lab, hung=12, patient=False):
    common.charons(lab, "ha", "mn")
    foreign = Foreign(lab)
    lab.agent()
    lab.node("mn")
    lab.check("the node registers", ordering.registers(), ordering.node())
    lab.check("the administrator's connection has traffic", foreign.start(), foreign.present("mn"))
    beside_theirs(lab, foreign)
    loaded_by_others(lab, foreign)
    sent, lost = foreign.stop()
    lab.check("of the administrator's traffic nothing was lost meanwhile", sent and sent > 50 and lost == 0, (sent, lost))
    add_state("mn", STRANGER, "99")
    hang(lab, hung)
    killed(lab)
    of_the_agent(lab, patient)
    orphans(lab)
    upgraded(lab)
    impostors(lab)
    lab.check("a state of others between our addresses is still there",
              STRANGER in run("ip", "-n", "mn", "xfrm", "state"), run("ip", "-n", "mn", "xfrm", "state"))
    lab.check("both daemons are the processes that they were", lab.alive("mnd.mn") and lab.alive("ha"))


def settled(lab, what, timeout=120):
    """Registered, one IKE_SA at each end, from where the node is, and one pair of SAs in each kernel."""
    def there():
        said = ordering.registered()
        own, seen, _ = lab.ike_endpoints()
        pairs = [len([s for s in esp.keys(n) if s != int(STRANGER, 16)]) for n in ("mn", "ha")]
        own = [sa["local-host"] for sa in vici.ike_sas(lab.vici_socket("mn")) if sa["connection"] != NAME]
        return said and own == seen == [said["registered_at"]] and pairs == [2, 2]
    ok = wait_for(there, timeout, 0.3)
    lab.check(f"{what}: registered, one IKE connection at both ends from where the node is, no stale SAs", ok,
              (ordering.node(), lab.ike_endpoints(), sorted(esp.keys("mn")), sorted(esp.keys("ha"))))


def named(lab, what, pattern="charon", timeout=ordering.PATIENCE):
    def found():
        error = ordering.node().get("last_error") or {}
        return error.get("current") and re.search(pattern, error["what"]) and error["remedy"]
    lab.check(f"{what}: status names it and its remedy", wait_for(found, timeout), ordering.node().get("last_error"))


def move(lab, state):
    common.link("w1", state)
    target = "w1" if state == "up" else "w2"

    def there():
        said = ordering.registered()
        return said and said["registered_at"] == lab.care_of("mn", target)
    return wait_for(there, ordering.PATIENCE)


# --- the administrator's ---

def beside_theirs(lab, foreign):
    """Our moves, crashes and stops."""
    theirs = {n: (foreign.present(n), foreign.sas(n)) for n in ("mn", "ha")}
    lab.check("the node moves", move(lab, "down") and move(lab, "up"), ordering.node())
    for name, start in (("mnd.mn", lambda: lab.node("mn")), ("ha", lab.agent)):
        for sent in (signal.SIGKILL, signal.SIGTERM):
            lab.stop(name, sent)
            start()
            lab.check(f"{name} is back after {sent.name}", ordering.ready(lab) and ordering.registers(),
                      ordering.node())
            ordering.refresh()
    settled(lab, "after our own restarts")
    now = {n: (foreign.present(n), foreign.sas(n)) for n in ("mn", "ha")}
    lab.check("the administrator's connections, secrets and IKE_SAs are what they were", now == theirs, (theirs, now))


def loaded_by_others(lab, foreign):
    """`swanctl --load-all` at both ends, and then our IKE connection is closed by hand."""
    for namespace in ("mn", "ha"):
        foreign.load_all(namespace)
    left = {n: [line for line in vici.loaded(lab.vici_socket(n)) if line.startswith("connection mip6")]
            for n in ("mn", "ha")}
    lab.check("swanctl --load-all unloads ours", left == {"mn": [], "ha": []}, left)
    lab.check("with nothing loaded updates go on", ordering.refresh(), ordering.node())
    theirs = {n: foreign.present(n) for n in ("mn", "ha")}
    for sa in vici.ike_sas(lab.vici_socket("mn")):
        if sa["connection"] != NAME:
            vici.ask(lab.vici_socket("mn"), "terminate", {"ike-id": sa["uniqueid"], "timeout": "-1"})
    time.sleep(0.3)
    settled(lab, "closed by hand after swanctl --load-all")
    lab.check("and the administrator's is loaded as it was", theirs == {n: foreign.present(n) for n in ("mn", "ha")},
              (theirs, foreign.present("mn"), foreign.present("ha")))


# --- charon in trouble ---

def hang(lab, seconds):
    """Both charons hang; the node moves there and back, and refreshes."""
    for namespace in ("mn", "ha"):
        lab.processes[f"charon.{namespace}"].send_signal(signal.SIGSTOP)
    begin = time.monotonic()
    before = ordering.node()["counters"]
    lab.check("with both charons hanging a move is registered", move(lab, "down"), ordering.node())
    named(lab, "charon hanging")
    while time.monotonic() - begin < seconds - 4:
        ordering.refresh()
        time.sleep(1)
    lab.check("and the move back at the end of it", move(lab, "up"), ordering.node())
    after = ordering.node()["counters"]
    lab.check("each with its first update", after["retransmissions"] == before["retransmissions"], (before, after))
    for namespace in ("mn", "ha"):
        lab.processes[f"charon.{namespace}"].send_signal(signal.SIGCONT)
    settled(lab, "charon goes on")


def killed(lab):
    lab.stop("charon.mn", signal.SIGKILL)
    lab.check("with charon dead a move is registered", move(lab, "down"), ordering.node())
    lab.charon("mn")
    settled(lab, "charon started again")


def of_the_agent(lab, patient):
    lab.stop("charon.ha", signal.SIGKILL)
    lab.check("with the home agent's charon dead a move is registered", move(lab, "up"), ordering.node())
    lab.charon("ha")
    lab.check("its connections are loaded again", wait_for(
        lambda: [c for c in vici.loaded(lab.vici_socket("ha")) if c.startswith("connection mip6ha-laptop")], 30),
        vici.loaded(lab.vici_socket("ha")))
    lab.check("updates are answered under the SAs that are in the kernel", ordering.refresh(), ordering.node())
    if patient:  # until dead peer detection of the node's charon has given up
        return settled(lab, "the home agent's charon started again", 400)
    for sa in vici.ike_sas(lab.vici_socket("mn")):
        if sa["connection"] != NAME:
            vici.ask(lab.vici_socket("mn"), "terminate", {"ike-id": sa["uniqueid"], "force": "yes", "timeout": "-1"})
    return settled(lab, "the home agent's charon started again, the node's connection closed by hand")


def add_state(namespace, spi, reqid):
    run("ip", "-n", namespace, "xfrm", "state", "add", "src", HOME_ADDRESS, "dst", HOME_AGENT, "proto", "esp", "spi", spi,
        "reqid", reqid, "replay-window", "32", "mode", "transport", "enc", "cbc(aes)", "0x" + "11" * 16, "auth-trunc", "hmac(sha256)",
        "0x" + "22" * 32, "128")


def orphans(lab):
    """What a dead charon left is removed after the restart of the home agent. charon has a new state in the kernel before it
    tells of it: one that comes while the others are about to be removed stays."""
    def states():
        return run("ip", "-n", "ha", "xfrm", "state")

    def keys_up():
        return (RUN / "ha.log").read_text(encoding="utf-8").count("keys up")
    reqid = re.search(r"proto esp spi \S+ reqid (\d+)", states())[1]
    lab.stop("ha", signal.SIGKILL)
    add_state("ha", ORPHAN, reqid)
    before = keys_up()
    lab.agent()
    wait_for(lambda: keys_up() > before, ordering.PATIENCE, 0.01)
    add_state("ha", YOUNG, reqid)
    lab.check("what a dead charon left at the home agent is removed", wait_for(lambda: ORPHAN not in states(), ordering.PATIENCE),
              states())
    if lab.check("and what is installed meanwhile is not", YOUNG in states(), states()):
        run("ip", "-n", "ha", "xfrm", "state", "delete", "src", HOME_ADDRESS, "dst", HOME_AGENT, "proto", "esp", "spi", YOUNG)


def upgraded(lab):
    """Stopped, which takes its SAs along, and another one started that makes its socket anew."""
    inode = lab.vici_socket("mn").stat().st_ino
    lab.stop("charon.mn", signal.SIGTERM)
    named(lab, "charon stopped")
    lab.vici_socket("mn").unlink(missing_ok=True)
    lab.charon("mn")
    settled(lab, "charon upgraded")
    lab.check("its socket is another one", lab.vici_socket("mn").stat().st_ino != inode)


def impostors(lab):
    lab.stop("charon.mn", signal.SIGKILL)
    for manner in ("nonsense", "nothing", "closes"):
        lab.start("impostor", "mn", "/usr/bin/python3", "-B", str(IMPOSTOR), str(lab.vici_socket("mn")), manner)
        time.sleep(0.3)
        used = lab.usage("mnd.mn")["cpu_ms"]
        begin = time.monotonic()
        named(lab, f"charon's socket answering: {manner}")
        lab.check(f"charon's socket answering: {manner}: updates go on", ordering.refresh(), ordering.node())
        time.sleep(1)
        spent, passed = lab.usage("mnd.mn")["cpu_ms"] - used, (time.monotonic() - begin) * 1000
        lab.check(f"charon's socket answering: {manner}: and the daemon is quiet", spent < passed / 4, (spent, passed))
        lab.stop("impostor", signal.SIGKILL)
    lab.vici_socket("mn").unlink(missing_ok=True)
    lab.charon("mn")
    settled(lab, "the real charon is back")
