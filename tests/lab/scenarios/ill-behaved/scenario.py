"""A registered node sends updates fifty times a second under its own keys: it is throttled, then refused service for a
while, also across a restart, told by the log with the way to lift it, and served again when the time is over, or at once
by `unban`. A second time the ban is twice as long. The other node, which changes its link ten times in a second, is
neither counted nor harmed. The metrics have all of it."""

import calendar
import signal
import socket
import time

import attack
import common
import kernel
from lab import HOME_ADDRESS, HOME_AGENT, NODES, RUN, ask, wait_for

GOOD, ILL = NODES["mn"], NODES["mn2"]
CONTROL = RUN / "ha.control"
PORT = 9637
BAN = 15  # seconds
TOLERANCE = 100  # offences
PAUSE = 0.02  # between updates
LONGEST_FLOOD = 90  # seconds, a guard
THROTTLED = f"node={ILL['name']} throttled: more than 3 updates a second"
OVER = f"node={ILL['name']} no longer banned: its time is over"


def scenario(lab):
    lab.agent_extra = f"metrics = [::1]:{PORT}\ntolerate = {TOLERANCE}\nban-for = {BAN}"
    common.charons(lab, "ha", "mn", "mn2")
    lab.agent()
    lab.node("mn")
    lab.node("mn2")
    both = [lab.wait_registered(node, timeout=40) for node in ("mn", "mn2")]
    if not lab.check("both nodes register", all(both), both):
        return
    served(lab)
    thrash(lab)
    flood(lab, "a flood of updates", BAN)
    restarted(lab)
    ends_by_itself(lab)
    flood(lab, "a second flood", 2 * BAN)
    lifted(lab)


def log():
    return (RUN / "ha.log").read_text(encoding="utf-8", errors="replace")


def figure(sample):
    lines = common.scrape(PORT)[1].splitlines()
    return next((float(line.rpartition(" ")[2]) for line in lines if line.rpartition(" ")[0] == sample), None)


def of(node, kind):
    return figure(f'mip6_ha_node_offences_total{{node="{node["name"]}",kind="{kind}"}}') or 0


# --- the metrics ---
def served(lab):
    head, text = common.scrape(PORT, "Accept: application/openmetrics-text; version=1.0.0\r\n")
    lab.check("the metrics are told as OpenMetrics", head.startswith("HTTP/1.1 200") and "application/openmetrics-text" in head
              and text.endswith("# EOF\n"), head)
    told = {name: figure(name) for name in ("mip6_ha_bindings", "mip6_ha_tunnel_ends", "mip6_ha_nodes_with_keys",
                                            'mip6_ha_key_mobility_total{answer="agreed"}', "mip6_ha_store_seconds_count")}
    lab.check("they count bindings, tunnels, keys, K and the disk's work", told["mip6_ha_bindings"] == 2 and
              all(value and value >= 2 for value in told.values()), told)
    with attack.socket_in("ha", socket.AF_INET6, socket.SOCK_STREAM) as other:
        refused = other.connect_ex((HOME_AGENT, PORT))
    lab.check("no other address has them", refused != 0, refused)


# --- the node that moves as fast as it can ---
def thrash(lab):
    accepted = figure("mip6_ha_updates_received_total")
    for state in (False, True) * 5:
        kernel.set_link("mn", "w1", state)
        time.sleep(0.1)
    settled = wait_for(lambda: lab.registered_at("mn") and figure("mip6_ha_updates_received_total") > accepted, 20, 0.2)
    lab.check("ten changes in a second are borne: nothing is held against the node", settled and not of(GOOD, "replay") and
              not of(GOOD, "too many updates") and not attack.entry(GOOD["name"]).get("banned"), log()[-1000:])


# --- the one that behaves ill ---
def flood(lab, what, seconds):
    told = log().count(THROTTLED)
    ill = attack.Speaker("mn2", ILL["home_address"], HOME_AGENT)
    entry = attack.entry(ILL["name"])
    number, sent, begin = entry["sequence"], 0, time.monotonic()
    banned = f"node={ILL['name']} home-address={ILL['home_address']} banned for {seconds} s, for ill behaviour: "
    while banned not in log() and time.monotonic() - begin < LONGEST_FLOOD:
        for _ in range(10):
            number += 1
            try:
                ill.update(number, entry["care_of"])
                sent += 1
            except OSError:
                pass  # its keys have gone
            time.sleep(PAUSE)
    line = next((line for line in log().splitlines() if banned in line), "")
    lab.check(f"{what} is throttled, told of once", log().count(THROTTLED) == told + 1, log()[-2000:])
    lab.check(f"{what} ends in a ban of {seconds} s: the log has who, what and how to lift it", "too many updates: " in line and
              f"mip6-ha unban {ILL['name']}" in line, f"{sent} sent; {line}")
    why = (attack.entry(ILL["name"]).get("banned") or {}).get("why", "")
    lab.check(f"after {what} list and metrics tell the ban", f"for {seconds} s" in why and
              figure(f'mip6_ha_node_banned{{node="{ILL["name"]}"}}') == 1 and of(ILL, "too many updates") > TOLERANCE, why)
    gone = wait_for(lambda: not [s for s in kernel.states("ha") if ILL["home_address"] in s[:2]], 5, 0.1)
    lab.check(f"after {what} its binding and its keys are gone", gone and not attack.entry(ILL["name"]).get("care_of"),
              attack.entry(ILL["name"]))
    lab.check(f"{what} harms nobody else", lab.registered_at("mn") and attack.entry(GOOD["name"]).get("care_of") ==
              lab.registered_at("mn") and lab.ping("cn", HOME_ADDRESS, 3) == 3 and not of(GOOD, "too many updates"),
              attack.entry(GOOD["name"]))


def back(lab, after):
    wait_for(lambda: attack.entry(ILL["name"]).get("care_of"), 60, 0.2)
    lab.check(f"after {after} the node registers again by itself, and answers", attack.entry(ILL["name"]).get("care_of") and
              lab.wait_registered("mn2", timeout=30) and lab.ping("cn", ILL["home_address"], 2) == 2, lab.status("mn2"))


def restarted(lab):
    """Killed and started again: with what is left of the ban."""
    before = attack.entry(ILL["name"]).get("banned")
    lab.stop("ha", signal.SIGKILL)
    lab.agent()
    wait_for(lambda: attack.entry(GOOD["name"]).get("care_of"), 20, 0.1)
    lab.check("after a restart it is still banned, since then and for that, and the metrics have it", before and
              attack.entry(ILL["name"]).get("banned") == before and
              figure(f'mip6_ha_node_banned{{node="{ILL["name"]}"}}') == 1, (before, attack.entry(ILL["name"])))


def ends_by_itself(lab):
    since = calendar.timegm(time.strptime(attack.entry(ILL["name"])["banned"]["since"], "%Y-%m-%dT%H:%M:%SZ"))
    over = wait_for(lambda: OVER in log(), BAN + 20, 0.2)
    lab.check("the ban ends by itself, not before its time", over and not attack.entry(ILL["name"]).get("banned") and
              time.time() >= since + BAN, (since, time.time(), attack.entry(ILL["name"])))
    back(lab, "the ban")


def lifted(lab):
    ended = log().count(OVER)
    said = ask(CONTROL, "unban", node=ILL["name"])
    told = wait_for(lambda: not figure(f'mip6_ha_node_banned{{node="{ILL["name"]}"}}'), 10, 0.2)  # the text is kept a moment
    lab.check("unban lifts it before its time", said.get("banned", "") is None and told and log().count(OVER) == ended, said)
    back(lab, "unban")
