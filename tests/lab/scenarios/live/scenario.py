"""The home agent is changed while it runs, by reload and by SIGHUP: a second node is added, banned, served again and removed,
the secret of the first is replaced, and the agent is killed and started in between. Packets to the first node and its keys
notice nothing of what is done to the second; of a node that is not served nothing is left in kernel and charon, and who asks
for keys in its name is refused, counted and named."""

import ctypes
import json
import signal
import socket
import subprocess
import time

import attack
import common
import kernel
import leftovers
import spoof
import traffic
import vici
from lab import CORRESPONDENT, HOME_ADDRESS, HOME_AGENT, NODES, RUN, ask, inside, program, wait_for

FIRST, SECOND = NODES["mn"], NODES["mn2"]
CONTROL = RUN / "ha.control"
PING = "ping"
NOBODY = 65534
SET_USER, SET_GROUP = 117, 119  # setresuid and setresgid, of a thread alone
KEYS_REFUSED = "keys_refused"
NOT_SERVED = "malformed/update of a home address that is not served"
QUEUED = 1000  # the home agent reads 256 of them before it looks at its other sockets


def scenario(lab):
    common.group_of_members()
    lab.charon_extra["ha"] = "init_limit_half_open = 1000"
    common.charons(lab, "ha", "mn", "mn2")
    configure(lab, FIRST)
    lab.start("ha", "ha", program("mip6-ha"), "--config", str(RUN / "ha.conf"),
              env={"STRONGSWAN_CONF": str(RUN / "ha.strongswan.conf")})
    lab.first_agent = False
    wait_for(lambda: vici.connections(lab.vici_socket("ha")), 5)
    lab.node("mn")
    lab.at = lab.wait_registered("mn", timeout=40)
    if not lab.check("the first node registers", lab.at, lab.status("mn")):
        return
    lab.spis = spis(FIRST)
    lab.start(PING, "cn", "ping", "-D", "-n", "-i", "0.1", HOME_ADDRESS)
    doctor(lab)
    mistakes(lab)
    members(lab)
    added(lab)
    banned(lab)
    restarted(lab)
    unbanned(lab)
    removed(lab)
    untouched(lab, "all of that")
    rotated(lab)


def configure(lab, *nodes, extra=""):
    """The agent's configuration with these nodes."""
    everybody = dict(NODES)
    NODES.clear()
    NODES.update({name: node for name, node in everybody.items() if node in nodes})
    lab.agent_config(extra=extra)
    NODES.clear()
    NODES.update(everybody)


def reload():
    return ask(CONTROL, "reload")


def spis(node):
    """Of the ESP states between the home agent and a node."""
    return {state.spi for state in kernel.states("ha") if state.protocol == kernel.ESP and
            node["home_address"] in (state.source, state.destination)}


def left_of(lab, node):
    """What the home agent's kernel and charon have of a node, as lines."""
    return [line for line in leftovers.snapshot("ha", lab.vici_socket("ha")) if node["home_address"] in line or
            f"mip6ha-{node['name']}" in line]


def nothing_left(lab, node, when):
    gone = wait_for(lambda: not left_of(lab, node), 3, 0.3)
    lab.check(f"{when}: nothing of it is in kernel and charon, neither binding nor SA nor secret", gone,
              left_of(lab, node))


def show(name):
    return ask(CONTROL, "show", node=name).get("node", {})


def refused_as(name, reason):
    """How often somebody who claimed to be this node was refused keys for that reason."""
    return show(name).get(KEYS_REFUSED, {}).get(reason, 0)


def untouched(lab, after):
    """The first node: same keys, same binding, no trouble; its pings are counted at the end."""
    lab.check(f"after {after} the first node has the keys and the binding that it had", spis(FIRST) == lab.spis and
              attack.entry(FIRST["name"]).get("care_of") == lab.at and lab.registered_at("mn") == lab.at,
              f"{spis(FIRST)} {lab.spis} {attack.entry(FIRST['name'])} {lab.status('mn')}")


# --- looking ---
def doctor(lab):
    well = ask(CONTROL, "doctor")
    lab.check("doctor finds nothing where all is well", well.get("findings") == [], well)
    inside("ha", lambda: open("/proc/sys/net/ipv6/conf/all/forwarding", "w", encoding="ascii").write("0"))
    limits = (RUN / "ha.strongswan.conf").read_text(encoding="utf-8")
    (RUN / "ha.strongswan.conf").write_text(limits.replace("= 1000", "= 0"), encoding="utf-8")
    found = ask(CONTROL, "doctor").get("findings", [])
    (RUN / "ha.strongswan.conf").write_text(limits, encoding="utf-8")
    inside("ha", lambda: open("/proc/sys/net/ipv6/conf/all/forwarding", "w", encoding="ascii").write("1"))
    lab.check("doctor finds that the machine does not forward, and says what to do",
              any(one["check"] == "forwarding" and "sysctl" in one["remedy"] for one in found), found)
    lab.check("and that half-open connections of charon are not bounded",
              any(one["check"] == "charon-limits" and "strongswan" in one["remedy"] for one in found), found)
    node = show(FIRST["name"])
    lab.check("show tells binding, method, keys and number of the node", node.get("care_of") == lab.at and
              node.get("method") == "ikev2 with a secret" and len(node.get("keys", [])) == 1 and
              node.get("sequence") is not None and node.get("accepted", 0) >= 1, node)


def mistakes(lab):
    configure(lab, FIRST, SECOND, extra="lifetime = x\nno-such-setting = 1")
    said = reload()
    lab.check("a configuration with two mistakes: both are told, and nothing has changed",
              len(said.get("mistakes", [])) == 2 and not attack.entry(SECOND["name"]), said)
    configure(lab, FIRST, extra="lifetime = 600")
    said = reload()
    lab.check("a setting that counts only after a restart is named", said.get("restart") == ["lifetime"], said)


def members(lab):
    syscall = ctypes.CDLL(None, use_errno=True).syscall

    def as_nobody():
        syscall(SET_GROUP, -1, common.MEMBERS, -1)
        syscall(SET_USER, -1, NOBODY, -1)
        try:
            return {command: ask(CONTROL, command, node=FIRST["name"])
                    for command in ("list", "show", "reload", "ban", "unban", "export")}
        finally:
            syscall(SET_USER, -1, 0, -1)
            syscall(SET_GROUP, -1, 0, -1)
    said = inside("ha", as_nobody)
    denied = {command for command, answer in said.items() if "root only" in answer.get("error", {}).get("what", "")}
    lab.check("a member of the group may look, and change nothing", denied == {"reload", "ban", "unban", "export"} and
              said["list"].get("bindings") and said["show"].get("node"), said)
    untouched(lab, "attempts of others")


# --- the second node ---
def added(lab):
    lab.node("mn2")
    refused = wait_for(lambda: lab.trouble("mn2")[0], 10, 0.2)
    lab.check("before it is added, the second node gets no keys", refused and not spis(SECOND), lab.status("mn2"))
    lab.stop("mnd.mn2")
    configure(lab, FIRST, SECOND)
    said = reload()
    lab.check("reload adds the second node", said.get("added") == {"count": 1, "names": [SECOND["name"]]}, said)
    said = reload()
    lab.check("a second reload finds nothing to do",
              all(said.get(what, {}).get("count") == 0 for what in ("added", "removed", "changed")), said)
    lab.node("mn2")
    at = lab.wait_registered("mn2", timeout=40)
    lab.check("the node that was added registers, and answers through its tunnel", at and
              attack.entry(SECOND["name"]).get("care_of") == at and lab.ping("cn", SECOND["home_address"], 2) == 2,
              f"{lab.status('mn2')} {attack.entry(SECOND['name'])}")
    untouched(lab, "adding a node")


def banned(lab):
    said = inside("ha", lambda: subprocess.run(
        [program("mip6-ha"), "ban", SECOND["name"], "--why", "left in a train", "--socket", str(CONTROL)],
        capture_output=True, text=True, check=False))
    lab.check("mip6-ha ban is done at once", said.returncode == 0, said)
    nothing_left(lab, SECOND, "banned")
    still_banned(lab, "a ban")
    lab.check("nothing is tunnelled to the banned node", lab.ping("cn", SECOND["home_address"], 1) == 0)
    untouched(lab, "the ban of another")


def still_banned(lab, after):
    entry, shown = attack.entry(SECOND["name"]).get("banned") or {}, show(SECOND["name"]).get("banned") or {}
    lab.check(f"after {after} list and show say since when it is banned and why", entry == shown and
              entry.get("why") == "left in a train" and entry.get("since", "").endswith("Z"), f"{entry} {shown}")
    counted = wait_for(lambda: refused_as(SECOND["name"], "banned"), 40, 0.2)
    events = ask(CONTROL, "events").get("events", [])
    told = [event for event in events if f"{SECOND['name']} is banned and was refused keys" in event["what"]]
    lab.check(f"after {after} its IKE is refused, counted under its name, and told with the remedy", counted and told and
              f"unban {SECOND['name']}" in told[-1]["remedy"] and not spis(SECOND), f"{show(SECOND['name'])} {events[-5:]}")


def restarted(lab):
    lab.stop("ha", signal.SIGKILL)
    lab.agent_restarted = time.time()
    lab.start("ha", "ha", program("mip6-ha"), "--config", str(RUN / "ha.conf"))
    wait_for(lambda: attack.entry(FIRST["name"]).get("keys_up"), 10)
    still_banned(lab, "a restart")
    nothing_left(lab, SECOND, "restarted")
    untouched(lab, "a restart")


def unbanned(lab):
    said = served_again(lab)
    lab.check("unban is done", said.get("banned", "") is None and not show(SECOND["name"]).get("banned"), said)
    # It believes itself registered; what brings it back is its next attempt at IKE.
    at = wait_for(lambda: attack.entry(SECOND["name"]).get("care_of"), 60, 0.2)
    lab.check("the node that is no longer banned registers again by itself, and answers",
              at and at == lab.wait_registered("mn2") and lab.ping("cn", SECOND["home_address"], 2) == 2,
              f"{lab.status('mn2')} {attack.entry(SECOND['name'])}")
    untouched(lab, "the end of a ban")


def served_again(lab):
    """Its address has no policy yet when updates in the clear come; they are still in the socket when it has one."""
    def not_served():
        return attack.counted(attack.agent_status()).get(NOT_SERVED, 0)
    before, home = not_served(), SECOND["home_address"]
    ha, sender = lab.processes["ha"], attack.Sender("cn", "wan")
    ha.send_signal(signal.SIGSTOP)
    for number in range(QUEUED):
        update = spoof.update(home, HOME_AGENT, number * 16384 & 0xFFFF, CORRESPONDENT)
        sender.send(attack.under_option(CORRESPONDENT, HOME_AGENT, home, spoof.MOBILITY, update), HOME_AGENT, pause=0)
    client = socket.socket(socket.AF_UNIX)
    client.connect(str(CONTROL))
    client.sendall(json.dumps({"command": "unban", "node": SECOND["name"]}).encode() + b"\n")
    ha.send_signal(signal.SIGCONT)
    said = json.loads(client.makefile().readline())
    client.close()
    lab.check("updates in the clear that wait when it is served again are still of an address that is not served",
              wait_for(lambda: not_served() - before >= QUEUED, 10, 0.1) and
              attack.entry(SECOND["name"]).get("care_of") != CORRESPONDENT, (not_served() - before, attack.agent_status()))
    return said


def removed(lab):
    configure(lab, FIRST)
    before = attack.counted(attack.agent_status())
    lab.processes["ha"].send_signal(signal.SIGHUP)
    gone = wait_for(lambda: attack.agent_status() and not attack.entry(SECOND["name"]), 20, 0.1)
    lab.check("SIGHUP is a reload: it removes the second node", gone, attack.agent_status())
    nothing_left(lab, SECOND, "removed")
    lab.check("its name is nobody's", not show(SECOND["name"]) and not attack.entry(SECOND["name"]))
    grown = wait_for(lambda: attack.more(before, attack.counted(attack.agent_status())).get(
        f"{KEYS_REFUSED}/authentication failed"), 40, 0.2)
    lab.check("the IKE of the node that was removed is refused and counted", grown, attack.agent_status())
    lab.stop("mnd.mn2")


# --- the first node's secret ---
def rotated(lab):
    FIRST["secret"] = "a new secret that only one end has"
    configure(lab, FIRST)
    said = reload()
    lab.check("reload changes the keys of the first node", said.get("changed") == {"count": 1, "names": [FIRST["name"]]},
              said)
    lab.check("the SAs of the old secret are gone at once", not spis(FIRST) & lab.spis, f"{spis(FIRST)} {lab.spis}")
    counted = wait_for(lambda: refused_as(FIRST["name"], "authentication failed"), 40, 0.2)
    told = wait_for(lambda: lab.trouble("mn")[0], 10, 0.2)
    lab.check("IKE with the old secret is refused with the reason, at both ends", counted and told and not spis(FIRST) and
              not [sa for sa in vici.ike_sas(lab.vici_socket("ha")) if sa.get("state") == "ESTABLISHED"],
              f"{show(FIRST['name'])} {lab.trouble('mn')}")
    lab.check("its binding stays until new keys change it", attack.entry(FIRST["name"]).get("care_of") == lab.at,
              attack.entry(FIRST["name"]))
    lab.stop(PING, signal.SIGINT)
    pings = traffic.Pings((RUN / f"{PING}.log").read_text(encoding="utf-8"))
    lost = pings.lost(time.time())
    lab.check("no packet to the first node was lost in all that time", pings.transmitted and not lost,
              f"{lost} of {pings.transmitted}; the agent was killed at {getattr(lab, 'agent_restarted', None)}")
    lab.stop("mnd.mn", signal.SIGKILL)
    lab.node("mn")
    fresh = wait_for(lambda: spis(FIRST), 40, 0.2)
    at = lab.wait_registered("mn", timeout=40)
    lab.check("with the new secret it gets new keys, registers and answers", fresh and not fresh & lab.spis and at and
              attack.entry(FIRST["name"]).get("care_of") == at and lab.ping("cn", HOME_ADDRESS, 3) == 3,
              f"{lab.status('mn')} {attack.entry(FIRST['name'])}")
