"""K agreed, and the IKE endpoint cannot move: the kernel refuses, or charon never hears of it. The node sees that, sets up
IKE anew, says why and does not set K again. The home agent sees it at its end, says why, and does not promise K or takes it
back with its next answer. Where charon only hangs, or has died, K stays: scenario `charon`."""

import os
import signal
from pathlib import Path

import common
import kernel
import lab as the_lab
import ordering
import vici
from lab import HOME_ADDRESS, HOME_AGENT, RUN, ask, inside, run, wait_for

NO_K = "refused: new keys after each move (no K)"  # as status tells it


def scenario(lab):
    if not common.begin(lab, capture=False):
        return
    events_are_lost(lab)
    anew(lab)
    kernel_refuses(lab)
    anew(lab)
    the_agents_kernel_refuses(lab)
    the_agents_events_are_lost(lab)


def connection(lab):
    return {sa["initiator-spi"] for sa in vici.ike_sas(lab.vici_socket("mn"))}


def settled(lab, at, ends=2):
    """Registered at `at`, and both ends of the one IKE_SA are there; or the node's alone."""
    return at and wait_for(lambda: lab.registered_at("mn") == at and
                           all(e == [at] for e in lab.ike_endpoints()[:ends]), 10, 0.2)


def why(lab):
    return f"{lab.ike_endpoints()[:2]} {lab.status('mn')}"


def anew(lab):
    """A new process knows nothing of failed moves."""
    at = lab.registered_at("mn")
    lab.stop("mnd.mn", signal.SIGKILL)
    lab.node("mn")
    lab.check("a new process sets K again", lab.wait_registered("mn", at) and
              wait_for(lambda: lab.status("mn").get("key_mobility") is True, 5), why(lab))


def fell_back(lab, what, old, at, words, ends=2):
    new = wait_for(lambda: len(connection(lab)) == 1 and connection(lab) != old, 10, 0.2)
    lab.check(f"{what}: registered all the same, IKE is established anew from there, once", new and settled(lab, at, ends),
              why(lab))
    said = lab.status("mn")
    error = said.get("last_error") or {}
    lab.check(f"{what}: status says that moving keys failed, and why", said.get("keying", {}).get("migration_failed") and
              words in error.get("what", "") and error.get("remedy") and "made anew" in lab.status_text("mn"), said)


def next_without_k(lab, what, state, target):
    at = common.move_to(lab, "w1", state, target)
    lab.check(f"{what}: the next update does not set K, and the move works", settled(lab, at) and
              lab.status("mn").get("key_mobility") is False, why(lab))


def deaf(lab, namespace):
    """Stops charon and fills the socket on which it hears of the kernel's events: what comes now is lost. Returns charon."""
    charon = lab.processes[f"charon.{namespace}"]
    charon.send_signal(signal.SIGSTOP)
    lab.check(f"charon of {namespace} stands still", wait_for(lambda: stands_still(charon.pid), 10, 0.02))
    expire = os.path.join(os.path.dirname(the_lab.__file__), "expire.py")
    run("/usr/bin/python3", "-B", expire, "1000", namespace=namespace)
    return charon


def stands_still(process):
    """Each of its threads: one that is about to stop would still read what it is not to hear."""
    threads = [path.read_text(encoding="utf-8") for path in Path(f"/proc/{process}/task").glob("*/stat")]
    return {text.rsplit(")", 1)[1].split()[0] for text in threads} == {"T"}


def events_are_lost(lab):
    old, charon = connection(lab), deaf(lab, "mn")
    common.link("w1", "down")
    at = lab.wait_registered("mn", lab.care_of("mn", "w2"), 2)
    agreed = lab.status("mn").get("key_mobility")
    charon.send_signal(signal.SIGCONT)
    lab.check("charon misses its events: the move is registered, K agreed", at and agreed is True, why(lab))
    # The old one's DELETE can't leave: the home agent would keep its end for ten seconds, but for the next move.
    fell_back(lab, "charon misses its events", old, at, "did not follow", ends=1)
    next_without_k(lab, "charon missed its events", "up", "w1")


def kernel_refuses(lab):
    """Somebody has removed the policy that MIGRATE is about. With a hard move the node finds out before its update leaves;
    with a soft one when the acknowledgement has come and the home agent's end has moved."""
    old = connection(lab)
    policy = ["src", f"{HOME_AGENT}/128", "dst", f"{HOME_ADDRESS}/128", "proto", "135", "dir", "in"]

    def there():
        return "reqid" in run("ip", "xfrm", "policy", "get", *policy, namespace="mn", check=False)
    run("ip", "xfrm", "policy", "delete", *policy, namespace="mn")
    at = common.move_to(lab, "w1", "down", "w2")
    lab.check("a policy removed before a hard move is put back, and the move needs no new IKE",
              settled(lab, at) and connection(lab) == old and there(), why(lab))
    run("ip", "xfrm", "policy", "delete", *policy, namespace="mn")
    at = common.move_to(lab, "w1", "up", "w1")
    fell_back(lab, "the kernel refuses", old, at, "kernel refused")
    lab.check("the policy that was missing is there again, so that nothing in the clear gets in", there())
    next_without_k(lab, "the kernel refused", "down", "w2")
    next_without_k(lab, "the kernel refused", "up", "w1")


# --- the home agent's end ---

def the_agents_kernel_refuses(lab):
    """It finds out before it answers: the answer to that very update is without K."""
    old = connection(lab)
    policy = ["src", f"{HOME_ADDRESS}/128", "dst", f"{HOME_AGENT}/128", "proto", "135", "dir", "in"]
    run("ip", "xfrm", "policy", "delete", *policy, namespace="ha")
    before = ordering.node()["counters"]
    at = common.move_to(lab, "w1", "down", "w2")
    what = "the home agent's kernel refuses"
    lab.check(f"{what}: the move is registered, without K, and the node's status says what that means",
              at and agreed_at_both_ends(lab) == [False, False] and NO_K in lab.status_text("mn"), why(lab))
    told = [event for event in ask(RUN / "ha.control", "events").get("events", []) if "kernel refused" in event["what"]]
    lab.check(f"{what}: its events say so, and what to do", told and all(event["remedy"] for event in told), told)
    anew_from(lab, what, old, at, before)
    lab.check(f"{what}: its policy is there again, so that nothing in the clear gets in",
              "reqid" in run("ip", "xfrm", "policy", "get", *policy, namespace="ha", check=False))


def the_agents_events_are_lost(lab):
    """Its charon is told of this move and, when the home agent has asked where it is, once more: both are lost. Where charon
    has read enough meanwhile to hear of the second, it follows, and the move is made again."""
    what = "the home agent's charon misses its events"
    for _ in range(5):
        old, charon = connection(lab), deaf(lab, "ha")
        common.link("w1", "up")
        at = wait_for(lambda: lab.care_of("mn", "w1"), 5) and lab.wait_registered("mn", lab.care_of("mn", "w1"), 5)
        agreed = lab.status("mn").get("key_mobility")
        charon.send_signal(signal.SIGCONT)
        lab.check(f"{what}: the move is registered, K agreed", at and agreed is True, why(lab))
        wait_for(lambda a=at: trouble(lab) or lab.ike_endpoints()[1] == [a], 10)
        if trouble(lab):
            break
        wait_for(lambda: not unread("ha"), 10)
        common.move_to(lab, "w1", "down", "w2")
    the_agent_fell_back(lab, what, old, at, f"did not follow laptop's move to {at}")
    old = connection(lab)
    wait_for(lambda: not unread("ha"), 10)
    at = common.move_to(lab, "w1", "down", "w2")
    lab.check(f"{what} no more: the next move costs no new IKE, and both ends follow",
              settled(lab, at) and connection(lab) == old and agreed_at_both_ends(lab) == [True, True], why(lab))


def the_agent_fell_back(lab, what, old, at, words):
    """It had agreed when it found that its end has not moved: its next answer takes K back (RFC 6275, section 10.3.1)."""
    before = ordering.node()["counters"]
    lab.check(f"{what}: its status says so, and what to do",
              wait_for(lambda: words in trouble(lab).get("what", "") and trouble(lab)["remedy"], 10), trouble(lab))
    lab.check(f"{what}: the next update is acknowledged, without K, and the node's status says what that means",
              ordering.refresh() and agreed_at_both_ends(lab) == [False, False] and NO_K in lab.status_text("mn"), why(lab))
    anew_from(lab, what, old, at, before)


def anew_from(lab, what, old, at, before):
    """The node makes IKE anew; the new connection can move, so the next answer agrees to K."""
    new = wait_for(lambda: len(connection(lab)) == 1 and connection(lab) != old, 10, 0.2)
    lab.check(f"{what}: IKE is established anew from there, once", new and settled(lab, at), why(lab))
    lab.check(f"{what}: with that its trouble is over", wait_for(lambda: not trouble(lab), 5), trouble(lab))
    lab.check(f"{what}: the update after that agrees to K again", ordering.refresh() and
              agreed_at_both_ends(lab) == [True, True], why(lab))
    after = ordering.node()["counters"]
    lab.check(f"{what}: each update was acknowledged, none sent twice", after["acknowledged"] - before["acknowledged"] == 2 and
              after["retransmissions"] == before["retransmissions"], (before, after))


def trouble(lab):
    return lab.agent_status().get("trouble") or {}


def agreed_at_both_ends(lab):
    return [lab.status("mn").get("key_mobility"), ordering.agent()[1].get("k")]


def unread(namespace):
    """Bytes that wait in the sockets on which programs hear of the kernel's IPsec events."""
    lines = [line.split() for line in inside(namespace, Path("/proc/thread-self/net/netlink").read_text).split("\n")[1:]]
    return sum(int(line[4]) for line in lines if line and int(line[1]) == kernel.XFRM and int(line[3], 16))
