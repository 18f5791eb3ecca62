"""A registered node sends updates fifty times a second under its own keys: it is throttled, then refused service for a
while, also across a restart, told by the log with the way to lift it, and served again when the time is over, or at once
by `unban`. A second time, for replays, the ban is twice as long. Wrong care-of addresses and leaps of its numbers are
banned too, by a node with manual keys, whose replays are not: anybody may have sent them. With `tolerate = all` nobody is
throttled or banned. The other node, which changes its link ten times in a second, is neither counted nor harmed. The
metrics have all of it."""

import calendar
import signal
import socket
import subprocess
import time

import attack
import common
import handmade
import kernel
import vici
from lab import CORRESPONDENT, HOME_ADDRESS, HOME_AGENT, NODES, RUN, ask, wait_for

GOOD, ILL = NODES["mn"], NODES["mn2"]
CONTROL = RUN / "ha.control"
PORT = 9637
BAN = 10  # seconds
TOLERANCE = 20  # offences; fewer than the updates that are borne at once, else replays would end as too many updates
BURST = 30  # updates that are borne at once
LEAP = 4096  # of numbers, the longest that is no offence
PAUSE = 0.02  # between updates
LONGEST_FLOOD = 90  # seconds, a guard
MANUAL = "hand"  # the node with manual keys, which the lab plays
ACCEPTED, OUT_OF_WINDOW, INVALID_CARE_OF = 0, 135, 174
THROTTLED = f"node={ILL['name']} throttled: more than 3 updates a second"
OVER = "no longer banned: its time is over"


def scenario(lab):
    settings(lab, TOLERANCE)
    for namespace in ("ha", "mn", "mn2"):
        lab.charon(namespace, wait=False)
    hand = handmade.Node(MANUAL, "2001:db8:1::52", "cn", "wan", CORRESPONDENT)
    handmade.keys_are_new(lab, MANUAL)
    for namespace in ("ha", "mn", "mn2"):
        lab.charon_ready(namespace)
    lab.agent()
    lab.node("mn")
    lab.node("mn2")
    both = [lab.wait_registered(node, timeout=40) for node in ("mn", "mn2")]
    if not lab.check("both nodes register", all(both), both):
        return
    judged(lab, "a node with manual keys registers", hand, ACCEPTED, 1)
    served(lab)
    thrash(lab)
    flood(lab, "a flood of updates", BAN)
    since = restarted(lab)
    by_hand(lab, hand)  # while the ban lasts
    ends_by_itself(lab, since)
    replays(lab)
    promtool(lab, "with offences and a ban")
    lifted(lab)
    tolerated(lab, hand)


def settings(lab, tolerate):
    lab.agent_extra = f"metrics = [::1]:{PORT}\ntolerate = {tolerate}\nban-for = {BAN}"


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
    lab.check("they count bindings, tunnels, keys, K and the disk's work", told["mip6_ha_bindings"] == 3 and
              all(value and value >= 2 for value in told.values()), told)
    promtool(lab, "of nodes that behave")
    with attack.socket_in("ha", socket.AF_INET6, socket.SOCK_STREAM) as other:
        refused = other.connect_ex((HOME_AGENT, PORT))
    lab.check("no other address has them", refused != 0, refused)


def promtool(lab, which):
    text = common.scrape(PORT)[1]
    judged = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False)
    lab.check(f"promtool accepts the metrics {which}", judged.returncode == 0 and "mip6_ha_bindings" in text,
              judged.stdout + judged.stderr)


# --- the node that moves as fast as it can ---
def thrash(lab):
    accepted, other = figure("mip6_ha_updates_received_total"), lab.ike_endpoints()[2]
    for state in (False, True) * 5:
        kernel.set_link("mn", "w1", state)
        time.sleep(0.1)
    settled = wait_for(lambda: lab.registered_at("mn") and figure("mip6_ha_updates_received_total") > accepted, 20, 0.2)
    lab.check("ten changes in a second are borne: nothing is held against the node", settled and not of(GOOD, "replay") and
              not of(GOOD, "too many updates") and not attack.entry(GOOD["name"]).get("banned"), log()[-1000:])
    lab.check("its IKE endpoint moves, the other node's does not", wait_for(
        lambda: lab.ike_endpoints()[1] == [lab.registered_at("mn")], 10, 0.2) and lab.ike_endpoints()[2] == other != [],
              (other, lab.ike_endpoints()))


# --- the one that behaves ill ---
def flood(lab, what, seconds):
    told = log().count(THROTTLED)
    number = attack.entry(ILL["name"])["sequence"]

    def next_number():
        nonlocal number
        number += 1
        return number
    banned(lab, what, "too many updates", seconds, next_number)
    lab.check(f"{what} is throttled, told of once", log().count(THROTTLED) == told + 1, log()[-2000:])
    lab.check(f"{what} harms nobody else", lab.registered_at("mn") and attack.entry(GOOD["name"]).get("care_of") ==
              lab.registered_at("mn") and lab.ping("cn", HOME_ADDRESS, 3) == 3 and not of(GOOD, "too many updates"),
              attack.entry(GOOD["name"]))


def replays(lab):
    """The last number, again and again."""
    number = attack.entry(ILL["name"])["sequence"]
    throttled = log().count(THROTTLED)
    banned(lab, "the number that was used last, again and again,", "replay", 2 * BAN, lambda: number)
    lab.check("so few of them are not throttled", log().count(THROTTLED) == throttled, log()[-2000:])


def banned(lab, what, kind, seconds, number):
    """Updates with number() until the log has the ban. kind: of the offence, as it is told."""
    ill = attack.Speaker("mn2", ILL["home_address"], HOME_AGENT)
    care_of, before = attack.entry(ILL["name"])["care_of"], of(ILL, kind)
    words, sent, begin = line_of_ban(ILL, seconds), 0, time.monotonic()
    while words not in log() and time.monotonic() - begin < LONGEST_FLOOD:
        try:
            ill.update(number(), care_of)
            sent += 1
        except OSError:
            pass  # its keys have gone
        time.sleep(PAUSE)
    check_ban(lab, what, ILL, kind, seconds, sent)
    lab.check(f"{what} is counted", of(ILL, kind) - before > TOLERANCE, (before, of(ILL, kind)))


def over_of(node):
    return f"node={node['name']} {OVER}"


def line_of_ban(node, seconds):
    return f"node={node['name']} home-address={node['home_address']} banned for {seconds} s, for ill behaviour: "


def check_ban(lab, what, node, kind, seconds, sent):
    words = line_of_ban(node, seconds) + kind
    wait_for(lambda: words in log(), 10)
    line = next((line for line in log().splitlines() if words in line), "")
    lab.check(f"{what} ends in a ban of {seconds} s: the log has who, what and how to lift it", f"{kind}: " in line and
              f"mip6-ha unban {node['name']}" in line, f"{sent} sent; {line}")
    why = (attack.entry(node["name"]).get("banned") or {}).get("why", "")
    lab.check(f"after {what} list and metrics tell the ban", why == f"for {seconds} s, for ill behaviour: {kind}" and
              figure(f'mip6_ha_node_banned{{node="{node["name"]}"}}') == 1, why)
    gone = wait_for(lambda: not [s for s in kernel.states("ha") if node["home_address"] in s[:2]], 5, 0.1)
    lab.check(f"after {what} its binding and its keys are gone", gone and not attack.entry(node["name"]).get("care_of"),
              attack.entry(node["name"]))


def back(lab, after):
    wait_for(lambda: attack.entry(ILL["name"]).get("care_of"), 60, 0.2)
    lab.check(f"after {after} the node registers again by itself, and answers", attack.entry(ILL["name"]).get("care_of") and
              lab.wait_registered("mn2", timeout=30) and lab.ping("cn", ILL["home_address"], 2) == 2, lab.status("mn2"))


def restarted(lab):
    """Killed and started again, with its charon, as in a boot: with what is left of the ban."""
    before = attack.entry(ILL["name"]).get("banned")
    for name in ("ha", "charon.ha"):
        lab.stop(name, signal.SIGKILL)
    lab.charon("ha")
    lab.agent()
    wait_for(lambda: attack.entry(GOOD["name"]).get("care_of"), 20, 0.1)
    lab.check("after a restart it is still banned, since then and for that, and the metrics have it", before and
              attack.entry(ILL["name"]).get("banned") == before and
              figure(f'mip6_ha_node_banned{{node="{ILL["name"]}"}}') == 1, (before, attack.entry(ILL["name"])))
    loaded = wait_for(lambda: [one for one in vici.connections(lab.vici_socket("ha")) if GOOD["name"] in one], 10, 0.1)
    connections = vici.connections(lab.vici_socket("ha"))
    lab.check("the new charon has no connection for it, and one for the other node",
              loaded and not [one for one in connections if ILL["name"] in one] and attack.entry(ILL["name"]).get("banned"),
              connections)
    return calendar.timegm(time.strptime(before["since"], "%Y-%m-%dT%H:%M:%SZ")) if before else 0


def ends_by_itself(lab, since):
    over = wait_for(lambda: over_of(ILL) in log() and not attack.entry(ILL["name"]).get("banned"), BAN + 20, 0.2)
    at = next((one["time"] for one in ask(CONTROL, "events").get("events", []) if one["node"] == ILL["name"] and
               one["what"] == OVER), "")
    lab.check("the ban ends by itself, not before its time", over and at and since and calendar.timegm(time.strptime(
        at[:19], "%Y-%m-%dT%H:%M:%S")) >= since + BAN, (since, at, attack.entry(ILL["name"])))
    back(lab, "the ban")


def lifted(lab):
    unban(lab, ILL)
    back(lab, "unban")


def unban(lab, node):
    ended = log().count(over_of(node))
    said = ask(CONTROL, "unban", node=node["name"])
    told = wait_for(lambda: not figure(f'mip6_ha_node_banned{{node="{node["name"]}"}}'), 10, 0.2)  # the text is kept a moment
    lab.check(f"unban lifts the ban of {node['name']} before its time", said.get("banned", "") is None and told and
              log().count(over_of(node)) == ended, said)


# --- the one with manual keys ---
def by_hand(lab, hand):
    node = NODES[MANUAL]
    judged(lab, f"a leap of {LEAP}", hand, ACCEPTED, 1 + LEAP)
    count = 2 * BURST
    for _ in range(count):
        hand.update(1)
    counted = wait_for(lambda: of(node, "replay") >= count, 10, 0.2)
    lab.check("replays under manual keys are counted, and never lead to a ban", counted and of(node, "replay") == count and
              not attack.entry(MANUAL).get("banned") and attack.entry(MANUAL).get("sequence") == 1 + LEAP,
              (of(node, "replay"), attack.entry(MANUAL)))
    answers = answered(hand)
    lab.check("they are limited: some are answered, the others dropped", 0 < len(answers) < count and
              {one.status for one in answers} == {OUT_OF_WINDOW}, len(answers))
    lab.check("a leap that is no offence was none", not of(node, "sequence jump"), of(node, "sequence jump"))
    judged(lab, "the next update after the replays", hand, ACCEPTED, 2 + LEAP)
    sent = 0
    while line_of_ban(node, BAN) not in log() and sent < 2 * BURST:
        sent += 1
        hand.update(2 + LEAP + sent, options=handmade.alternate(HOME_AGENT))
    check_ban(lab, "the home agent's address as care-of address", node, "wrong care-of address", BAN, sent)
    refused = {one.status for one in answered(hand)}
    lab.check("until then it is answered with its status", refused == {INVALID_CARE_OF}, refused)
    unban(lab, node)
    # Forgiven, it begins anew: the next ban is no longer one.
    judged(lab, "after unban the number of no refused update is used up", hand, ACCEPTED, 3 + LEAP)
    hand.update(3 + LEAP + LEAP + 1)
    check_ban(lab, f"a leap of {LEAP + 1}", node, "sequence jump", BAN, 1)
    answered(hand)
    unban(lab, node)
    judged(lab, "after unban its number is the one that it leapt to", hand, ACCEPTED, 5 + 2 * LEAP)


def judged(lab, what, hand, status, number):
    hand.update(number)
    answer = hand.answer()
    lab.check(f"{what}: status {status}", answer and (answer.status, answer.sequence) == (status, number), answer)


def answered(hand):
    """All answers that have come by now."""
    found = []
    while answer := hand.answer(0.1):
        found.append(answer)
    return found


# --- the measure that the administrator has set ---
def tolerated(lab, hand):
    node, last = NODES[MANUAL], attack.entry(MANUAL)["sequence"]
    lab.stop("ha", signal.SIGKILL)
    settings(lab, "all")
    lab.agent()
    wait_for(lambda: attack.entry(MANUAL).get("care_of"), 20, 0.1)
    count = 2 * BURST
    answers, answer = [], True
    while answer and len(answers) < count:  # one that comes before the one before is stored may take its place
        hand.update(last + len(answers) + 1)
        answer = hand.answer()
        answers.append(answer and (answer.status, answer.sequence))
    lab.check(f"with tolerate = all each of {count} updates, as fast as they are answered, is accepted", answers == [
        (ACCEPTED, last + ahead) for ahead in range(1, count + 1)], answers)
    judged(lab, "and a leap", hand, ACCEPTED, last + count + LEAP + 1)
    wait_for(lambda: of(node, "sequence jump"), 10, 0.2)
    lab.check("that leap is counted, the updates are not, and nothing is held against anybody",
              of(node, "sequence jump") == 1 and not of(node, "too many updates") and not attack.entry(MANUAL).get("banned"),
              attack.entry(MANUAL))
