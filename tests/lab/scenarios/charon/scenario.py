"""charon hung, killed, upgraded, started after us, replaced by something that talks nonsense or not at all, at the node and
at the home agent: the registration lives on with the SAs that are there, K agreed, and everything is back when charon is:
the same IKE connection where it only hung. The administrator's own connection, its traffic, its secret and `swanctl
--load-all` live beside ours, whatever we do."""

import re
import signal
import time

import common
import esp
import ordering
import vici
from foreign import NAME, Foreign
from impostor import Impostor
from lab import HOME_ADDRESS, HOME_AGENT, NODES, REQID_AGENT, RUN, run, wait_for

GONE = "gone away|refused|No such file|reset by peer"
IMPOSTORS = {"nonsense": "no such packet type", "nothing": "does not answer"}  # and what is told of them
STRANGER = "0x00000999"  # SPI of a state between our two addresses that is not ours
ENDS = {"mn": "mnd.mn", "ha": "ha"}
ORPHAN, YOUNG = "0x00000998", "0x00000997"  # of states with the node's own reqid at the home agent


def scenario(lab, hung=8, patient=False):
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
    for namespace in ENDS:
        add_state(namespace, STRANGER, "99")
    hang(lab, hung)
    killed(lab)
    of_the_agent(lab, patient)
    orphans(lab)
    for namespace in ENDS:
        upgraded(lab, namespace)
    lab.stop("charon.mn", signal.SIGKILL)
    impostors(lab, "mn")
    lab.charon("mn")
    settled(lab, "the real charon is back")
    lab.check("both daemons are the processes that they were", lab.alive("mnd.mn") and lab.alive("ha"))
    for namespace in ENDS:
        before_charon(lab, namespace)
        states = run("ip", "-n", namespace, "xfrm", "state")
        lab.check(f"{namespace}: a state of others between our addresses is still there", STRANGER in states, states)


def ours(namespace):
    """SPIs of the ESP states with the home agent, but for the stranger."""
    return sorted(spi for spi in esp.keys(namespace) if spi != int(STRANGER, 16))


def settled(lab, what, timeout=120):
    """Registered, one IKE_SA, the same at each end, from where the node is, and one pair of SAs in each kernel. One that is
    not established yet can have the other one's address."""
    def there():
        said = ordering.registered()
        own = [(sa["initiator-spi"], sa["state"], sa["local-host"]) for sa in connections(lab)]
        seen = [(sa["initiator-spi"], sa["state"], sa["remote-host"]) for sa in vici.ike_sas(lab.vici_socket("ha"))
                if sa.get("remote-id") == NODES["mn"]["identity"]]
        pairs = [len(ours(n)) for n in ENDS]
        return said and own == seen and [one[1:] for one in own] == [("ESTABLISHED", said["registered_at"])] and \
            pairs == [2, 2]
    ok = wait_for(there, timeout, 0.3)
    lab.check(f"{what}: registered, one IKE connection at both ends from where the node is, no stale SAs", ok,
              (ordering.node(), lab.ike_endpoints(), sorted(esp.keys("mn")), sorted(esp.keys("ha"))))


def trouble(lab, namespace):
    """The present one, as status tells it."""
    if namespace == "ha":
        return lab.agent_status().get("trouble") or {}
    error = ordering.node().get("last_error") or {}
    return error if error.get("current") else {}


def named(lab, what, namespace, words):
    def found():
        told = trouble(lab, namespace)
        return re.search(f"charon is not reachable: .*({words})", told.get("what", "")) and told["remedy"]
    lab.check(f"{what}: status names it and its remedy", wait_for(found, ordering.PATIENCE), trouble(lab, namespace))


def loaded_again(lab, what):
    def there():
        return sorted(name for name in vici.connections(lab.vici_socket("ha")) if name != NAME)
    lab.check(f"{what}: the home agent's connections are loaded",
              wait_for(lambda: there() == ["mip6ha-desk", "mip6ha-laptop"], 30), there())


def connections(lab):
    """Ours at the node."""
    return [sa for sa in vici.ike_sas(lab.vici_socket("mn")) if sa["connection"] != NAME]


def closed_by_hand(lab, **more):
    """Our IKE connection at the node, as its charon does when it finds that the other end is gone."""
    for sa in connections(lab):
        vici.ask(lab.vici_socket("mn"), "terminate", {"ike-id": sa["uniqueid"], "timeout": "-1", **more})


def told_closed(lab, by):
    def told():
        last = [one["text"] for one in lab.status("mn", "events")["events"] if "was closed" in one["text"]][-1:]
        return last == [f"the IKE connection was closed {by}"]
    lab.check(f"an event tells that the IKE connection was closed {by}", wait_for(told, ordering.PATIENCE),
              lab.status("mn", "events")["events"][-5:])


def move(lab, state):
    common.link("w1", state)
    target = "w1" if state == "up" else "w2"

    def there():
        said = ordering.registered()
        return said if said and said["registered_at"] == lab.care_of("mn", target) else None
    return wait_for(there, ordering.PATIENCE)


def agreed(said):
    return said and said.get("key_mobility") is True


# --- the administrator's ---

def beside_theirs(lab, foreign):
    """Our moves, crashes and stops."""
    theirs = {n: (foreign.present(n), foreign.sas(n)) for n in ("mn", "ha")}
    lab.check("the node moves", move(lab, "down") and move(lab, "up"), ordering.node())
    for name, sent, start in (("mnd.mn", signal.SIGKILL, lambda: lab.node("mn")),
                              ("mnd.mn", signal.SIGTERM, lambda: lab.node("mn")), ("ha", signal.SIGTERM, lab.agent)):
        lab.stop(name, sent)
        start()
        lab.check(f"{name} is back after {sent.name}", ordering.ready(lab) and ordering.registers(), ordering.node())
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
    for ike_sa in vici.ike_sas(lab.vici_socket("ha")):
        if ike_sa.get("remote-id") == NODES["mn"]["identity"]:
            vici.ask(lab.vici_socket("ha"), "terminate", {"ike-id": ike_sa["uniqueid"], "timeout": "-1"})
    told_closed(lab, "by the home agent")
    settled(lab, "closed by hand at the home agent")
    closed_by_hand(lab)
    told_closed(lab, "by charon here")
    settled(lab, "closed by hand after swanctl --load-all")
    lab.check("and the administrator's is loaded as it was", theirs == {n: foreign.present(n) for n in ("mn", "ha")},
              (theirs, foreign.present("mn"), foreign.present("ha")))


# --- charon in trouble ---

def hang(lab, seconds):
    """Both charons hang; the node moves, and refreshes."""
    old = {sa["initiator-spi"] for sa in connections(lab)}
    for namespace in ("mn", "ha"):
        lab.processes[f"charon.{namespace}"].send_signal(signal.SIGSTOP)
    begin = time.monotonic()
    before = ordering.node()["counters"]
    lab.check("with both charons hanging a move is registered, K agreed", agreed(move(lab, "down")), ordering.node())
    for namespace in ENDS:
        named(lab, f"charon hanging, {namespace}", namespace, "does not answer")
    answered = [ordering.refresh()]
    while time.monotonic() - begin < seconds:
        time.sleep(1)
        answered.append(ordering.refresh())
    after = ordering.node()["counters"]
    lab.check("and updates are answered, each with its first sending",
              all(answered) and after["retransmissions"] == before["retransmissions"], (answered, before, after))
    for namespace in ("mn", "ha"):
        lab.processes[f"charon.{namespace}"].send_signal(signal.SIGCONT)
    settled(lab, "charon goes on")
    now = {sa["initiator-spi"] for sa in connections(lab)}
    lab.check("charon goes on: the IKE connection is the one that it was", len(now) == 1 and now == old, (old, now))


def killed(lab):
    lab.stop("charon.mn", signal.SIGKILL)
    lab.check("with charon dead a move is registered, K agreed", agreed(move(lab, "up")), ordering.node())
    lab.check("and the home address is reachable", lab.ping("cn", HOME_ADDRESS) >= 2)
    lab.charon("mn")
    settled(lab, "charon started again")


def of_the_agent(lab, patient):
    lab.stop("charon.ha", signal.SIGKILL)
    lab.check("with the home agent's charon dead a move is registered", move(lab, "down"), ordering.node())
    impostors(lab, "ha")
    lab.charon("ha")
    loaded_again(lab, "the home agent's charon started again")
    lab.check("updates are answered under the SAs that are in the kernel", ordering.refresh(), ordering.node())
    if patient:  # until dead peer detection of the node's charon has given up
        return settled(lab, "the home agent's charon started again", 400)
    closed_by_hand(lab, force="yes")
    return settled(lab, "the home agent's charon started again, the node's connection closed by hand")


def add_state(namespace, spi, reqid):
    run("ip", "-n", namespace, "xfrm", "state", "add", "src", HOME_ADDRESS, "dst", HOME_AGENT, "proto", "esp", "spi", spi,
        "reqid", reqid, "replay-window", "32", "mode", "transport", "enc", "cbc(aes)", "0x" + "11" * 16,
        "auth-trunc", "hmac(sha256)", "0x" + "22" * 32, "128")


def orphans(lab):
    """What a dead charon left is removed after the restart of the home agent. charon has a new state in the kernel before it
    tells of it: one that comes while the others are about to be removed stays."""
    def states():
        return run("ip", "-n", "ha", "xfrm", "state")

    def keys_up():
        return (RUN / "ha.log").read_text(encoding="utf-8").count("keys up")
    reqid = re.search(rf"proto esp spi \S+ reqid ({REQID_AGENT // 100}\d+)", states())[1]
    lab.stop("ha", signal.SIGKILL)
    add_state("ha", ORPHAN, reqid)
    before = keys_up()
    lab.agent()
    wait_for(lambda: keys_up() > before, ordering.PATIENCE, 0.01)
    add_state("ha", YOUNG, reqid)
    lab.check("what a dead charon left at the home agent is removed",
              wait_for(lambda: ORPHAN not in states(), ordering.PATIENCE), states())
    if lab.check("and what is installed meanwhile is not", YOUNG in states(), states()):
        run("ip", "-n", "ha", "xfrm", "state", "delete", "src", HOME_ADDRESS, "dst", HOME_AGENT, "proto", "esp", "spi", YOUNG)


def upgraded(lab, namespace):
    """Stopped, which takes its SAs along, at the other end too, and another one started that makes its socket anew."""
    what, inode = f"charon upgraded, {namespace}", lab.vici_socket(namespace).stat().st_ino
    held = ordering.agent()[1]
    lab.stop(f"charon.{namespace}", signal.SIGTERM)
    named(lab, what, namespace, GONE)
    lab.check(f"{what}: the SAs have gone with it, at both ends", wait_for(lambda: not any(ours(n) for n in ENDS), 10),
              [ours(n) for n in ENDS])
    lab.check(f"{what}: the binding is what it was", held and ordering.agent()[1].get("care_of") == held["care_of"] and
              lab.ping("cn", HOME_ADDRESS) >= 2, (held, ordering.agent()[1]))
    lab.vici_socket(namespace).unlink(missing_ok=True)
    lab.charon(namespace)
    if namespace == "ha":
        loaded_again(lab, what)
    settled(lab, what)
    lab.check(f"{what}: its socket is another one", lab.vici_socket(namespace).stat().st_ino != inode)


def quiet_second(lab, program):
    """Who polls never has one, on however crowded a machine."""
    used, begin = lab.usage(program)["cpu_ms"], time.monotonic()
    time.sleep(1)
    return lab.usage(program)["cpu_ms"] - used < (time.monotonic() - begin) * 1000 / 4


def impostors(lab, namespace):
    """In the place of a charon that is dead."""
    for manner, words in IMPOSTORS.items():
        what = f"charon's socket answering: {manner}, {namespace}"
        impostor = Impostor(lab.vici_socket(namespace), manner)
        wait_for(lambda one=impostor: one.accepted > 1, ordering.PATIENCE)  # there are two connections, or it comes again
        named(lab, what, namespace, words)
        lab.check(f"{what}: updates go on", ordering.refresh(), ordering.node())
        lab.check(f"{what}: and the daemon is quiet", impostor.accepted > 1 and
                  wait_for(lambda: quiet_second(lab, ENDS[namespace]), 2), impostor.accepted)
        impostor.stop()
    lab.vici_socket(namespace).unlink(missing_ok=True)


def before_charon(lab, namespace):
    """The daemon is started while there is no charon and no socket; the SAs of the one that died are in the kernel."""
    what = f"started before its charon, {namespace}"
    for name in (f"charon.{namespace}", ENDS[namespace]):
        lab.stop(name, signal.SIGKILL)
    lab.vici_socket(namespace).unlink(missing_ok=True)
    if namespace == "ha":
        lab.agent()
        lab.check(f"{what}: updates are answered under the SAs that are in the kernel",
                  ordering.ready(lab) and ordering.refresh(), ordering.node())
    else:
        lab.node("mn")
    named(lab, what, namespace, GONE)
    lab.charon(namespace)
    if namespace == "ha":
        loaded_again(lab, what)
        closed_by_hand(lab, force="yes")
    settled(lab, what)
