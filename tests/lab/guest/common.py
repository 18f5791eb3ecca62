"""What most scenarios begin with."""

import json
import re
import socket
import time

import kernel
import leftovers
import vici
import wire
from lab import HOME_ADDRESS, HOME_AGENT, NODES, ROOT, RUN, inside, mount_over, program, run, wait_for

# Settings of charon. Without them it may look for another path in one of the moments in which an address is deprecated, and
# give the IKE_SA up.
EXAMPLE = ROOT / "packaging/strongswan/mnd.conf"
NO_ROAMING = re.search(r"plugins \{.*\n  \}\n", EXAMPLE.read_text(encoding="utf-8"), re.DOTALL)[0]
MEMBERS = 64999  # group_of_members()


def group_of_members():
    """In this kernel alone there is a group mnd."""
    groups = RUN / "group"
    with open("/etc/group", encoding="utf-8") as file:
        others = [line for line in file if not line.startswith("mnd:")]
    groups.write_text("".join(others) + f"mnd:x:{MEMBERS}:\n", encoding="utf-8")
    mount_over(groups, "/etc/group")


def charons(lab, *namespaces):
    for namespace in namespaces:
        lab.charon(namespace, wait=False)
    lab.linked()
    for namespace in namespaces:
        lab.charon_ready(namespace)
    lab.checks.note("charon is there")


def begin(lab, capture=True, key_mobility=True, extra=""):
    """Captures, charon, home agent and node, `extra` in its configuration; True if it registered on w1."""
    lab.captures = lab.capture_all() if capture else {}
    charons(lab, "ha", "mn")
    lab.before = {n: leftovers.snapshot(n, lab.vici_socket(n)) for n in ("mn", "ha")}
    lab.agent(key_mobility)
    lab.node("mn", extra)
    at = lab.wait_registered("mn", timeout=40, on="w1")
    return lab.check("the node registers", at, json.dumps(lab.status("mn")))


def link(interface, state):
    kernel.set_link("mn", interface, state == "up")


def rested(lab, seconds=1):
    """Waits until the node has sent no update for so long: of more than MAX_UPDATE_RATE in a second (RFC 6275 section 12) the
    next one waits, and with it a move."""
    seen, since = None, 0

    def quiet():
        nonlocal seen, since
        sent = lab.status()["counters"]["updates_sent"]
        if sent != seen:
            seen, since = sent, time.monotonic()
        return time.monotonic() - since > seconds
    return wait_for(quiet, 10, 0.1)


def move_to(lab, interface, state, target, timeout=12):
    """Sets an interface of the node up or down; the address at which it is registered then. target: an interface, or
    None for the home link."""
    link(interface, state)
    time.sleep(0.3)

    def there():
        want = lab.care_of("mn", target) if target else HOME_ADDRESS
        return want if want and lab.registered_at("mn") == want else None
    return wait_for(there, timeout, 0.05)


def stop_and_compare(lab):
    """SIGTERM to both: nothing of theirs is left."""
    status = {name: lab.stop(name) for name in ("mnd.mn", "ha") if name in lab.processes}
    time.sleep(0.3)
    # What the node had begun when it was stopped; the home agent's charon gives up on that by itself (half_open_timeout).
    wait_for(lambda: not vici.half_open(lab.vici_socket("ha")), 35, 0.3)
    lab.check("both daemons end in time with status 0", all(s == 0 for s in status.values()), status)
    for namespace in ("mn", "ha"):
        left = leftovers.difference(lab.before[namespace], leftovers.snapshot(namespace, lab.vici_socket(namespace)))
        lab.check(f"after SIGTERM nothing is left in {namespace}", not left, "; ".join(left))


def check_events(lab, *wanted):
    """`mip6ctl events` has told each of these steps."""
    told = run(program("mip6ctl"), "--socket", f"{RUN}/mn.control", "events")
    missing = [words for words in wanted if words not in told]
    lab.check("mip6ctl events has told every step", told and not missing, f"{missing} in {told}")


def event_of(lab, words, namespace="mn"):
    """What `mip6ctl events --json` has of this trouble; {} if it has nothing."""
    return next((one for one in lab.status(namespace, "events").get("events", [])
                 if one["kind"] == "trouble" and one["text"] == words), {})


def agent_ready(lab):
    """Until its charon has the node's connection: before, it refuses whoever comes."""
    return wait_for(lambda: f"mip6ha-{NODES['mn']['name']}" in vici.connections(lab.vici_socket("ha")), 5)


def scrape(port, accept=""):
    """The answer of the home agent's metrics port: head and text."""
    with inside("ha", lambda: socket.socket(socket.AF_INET6)) as client:
        client.settimeout(20)
        client.connect(("::1", port))
        client.sendall(f"GET /metrics HTTP/1.1\r\nHost: ha\r\n{accept}\r\n".encode())
        answer = b""
        while block := client.recv(65536):
            answer += block
    head, _, text = answer.decode().partition("\r\n\r\n")
    return head, text


def make_keys(name, folder=RUN):
    """A new file of manual keys; its path."""
    path = folder / f"{name}.keys"
    path.unlink(missing_ok=True)
    path.touch(mode=0o640)
    path.write_text(run(program("mnd"), "--make-keys"), encoding="utf-8")
    return path


def charon_said(namespace, words):
    """How often its log has them."""
    return (RUN / f"charon.{namespace}.log").read_text(encoding="utf-8", errors="replace").count(words)


def clear(packets, spans=()):
    """Mobility messages that are not under ESP, but for those of the spans of time in which the lab forged some."""
    return [(p.time, p.link, p.source, p.destination, p.clear) for p in packets
            if p.clear and not any(a <= p.time <= b for a, b in spans)]


def agent_route(agent_namespace="ha"):
    """Where the home agent tunnels packets for the home address to: its routes."""
    return [route for route in kernel.routes(agent_namespace) if route.destination == HOME_ADDRESS and route.tunnel]


def answers(packets, begin_time, end_time):
    """Protected acknowledgements on the node's links within a span of time."""
    return [p for p in packets if p.link in ("ar1", "ar2", "home") and begin_time <= p.time <= end_time and
            wire.is_acknowledgement(p, HOME_ADDRESS, HOME_AGENT)]
