"""K agreed, and the IKE endpoint cannot move: the kernel refuses, or charon never hears of it. The node sees that, sets up
IKE anew, says why and does not set K again. And where charon only hangs, or has died, K stays: a charon that hangs follows
when it goes on, and the registration outlives one that is gone."""

import os
import signal
import time

import common
import lab as the_lab
import ordering
import vici
from lab import HOME_ADDRESS, HOME_AGENT, run, wait_for


def scenario(lab):
    if not common.begin(lab, capture=False):
        return
    events_are_lost(lab)
    anew(lab)
    kernel_refuses(lab)
    anew(lab)
    charon_hangs(lab)
    charon_dies(lab)
    the_agents_kernel_refuses(lab)


def connection(lab):
    return {sa["initiator-spi"] for sa in vici.ike_sas(lab.vici_socket("mn"))}


def settled(lab, at, timeout=10):
    """Registered at `at`, and both ends of the one IKE_SA are there."""
    return at and wait_for(lambda: lab.registered_at("mn") == at and
                           all(e == [at] for e in lab.ike_endpoints()[:2]), timeout, 0.2)


def why(lab):
    return f"{lab.ike_endpoints()[:2]} {lab.status('mn')}"


def anew(lab):
    """A new process knows nothing of failed moves."""
    at = lab.registered_at("mn")
    lab.stop("mnd.mn", signal.SIGKILL)
    lab.node("mn")
    lab.check("a new process sets K again", lab.wait_registered("mn", at) and
              wait_for(lambda: lab.status("mn").get("key_mobility") is True, 5), why(lab))


def fell_back(lab, what, old, at, words):
    new = wait_for(lambda: len(connection(lab)) == 1 and connection(lab) != old, 10, 0.2)
    lab.check(f"{what}: registered all the same, IKE is established anew from there, once", new and settled(lab, at), why(lab))
    said = lab.status("mn")
    error = said.get("last_error") or {}
    lab.check(f"{what}: status says that moving keys failed, and why", said.get("keying", {}).get("migration_failed") and
              words in error.get("what", "") and error.get("remedy") and "made anew" in lab.status_text("mn"), said)


def next_without_k(lab, what, state, target):
    at = common.move_to(lab, "w1", state, target)
    lab.check(f"{what}: the next update does not set K, and the move works", settled(lab, at) and
              lab.status("mn").get("key_mobility") is False, why(lab))


def events_are_lost(lab):
    old, charon = connection(lab), lab.processes["charon.mn"]
    expire = os.path.join(os.path.dirname(the_lab.__file__), "expire.py")
    charon.send_signal(signal.SIGSTOP)
    run("/usr/bin/python3", "-B", expire, "1000", namespace="mn")
    common.link("w1", "down")
    at = lab.wait_registered("mn", lab.care_of("mn", "w2"), 2)
    agreed = lab.status("mn").get("key_mobility")
    charon.send_signal(signal.SIGCONT)
    lab.check("charon misses its events: the move is registered, K agreed", at and agreed is True, why(lab))
    fell_back(lab, "charon misses its events", old, at, "did not follow")
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


def charon_hangs(lab):
    old, charon = connection(lab), lab.processes["charon.mn"]
    charon.send_signal(signal.SIGSTOP)
    common.link("w1", "down")
    at = lab.wait_registered("mn", lab.care_of("mn", "w2"), 5)
    agreed = lab.status("mn").get("key_mobility")
    time.sleep(5)  # longer than charon is waited for
    charon.send_signal(signal.SIGCONT)
    lab.check("charon hangs: the move is registered, K agreed", at and agreed is True, why(lab))
    lab.check("when it goes on, both ends of the same IKE_SA are where the node is",
              settled(lab, at) and connection(lab) == old, why(lab))


def charon_dies(lab):
    lab.stop("charon.mn", signal.SIGKILL)
    at = None
    common.link("w1", "up")
    lab.check("charon dies: the next move is registered, K agreed",
              wait_for(lambda: lab.care_of("mn", "w1") and lab.registered_at("mn") == lab.care_of("mn", "w1"), 8, 0.2) and
              lab.status("mn").get("key_mobility") is True, lab.status("mn"))
    at = lab.care_of("mn", "w1")
    lab.check("and the home address is reachable", lab.ping("cn", HOME_ADDRESS) >= 2)
    lab.charon("mn")
    lab.check("when it is back, IKE is established from where the node is, once", settled(lab, at, 20), why(lab))


def the_agents_kernel_refuses(lab):
    """The home agent has agreed when it finds that its end cannot move: its next answer is without K."""
    old = connection(lab)
    policy = ["src", f"{HOME_ADDRESS}/128", "dst", f"{HOME_AGENT}/128", "proto", "135", "dir", "in"]
    run("ip", "xfrm", "policy", "delete", *policy, namespace="ha")
    at = common.move_to(lab, "w1", "down", "w2")
    lab.check("the home agent's kernel refuses: the move is registered", at, why(lab))
    ordering.refresh()
    new = wait_for(lambda: len(connection(lab)) == 1 and connection(lab) != old, 10, 0.2)
    lab.check("the home agent's kernel refuses: the next answer is without K, and IKE is established anew from there, once",
              new and settled(lab, at), why(lab))
    lab.check("the home agent's kernel refuses: its policy is there again, so that nothing in the clear gets in",
              "reqid" in run("ip", "xfrm", "policy", "get", *policy, namespace="ha", check=False))
