"""K agreed, in bad weather: a move during IKE_AUTH, a move during a re-key, eleven changes in a second, both daemons killed
and the node moved before they are back; re-keys on time, asked by the node and never while an update is outstanding; one
of the home agent that swallows an update. IKE is established once and never anew, and its endpoint is where the node is;
but for re-keys it costs not one packet. All that is Mobile IPv6 goes to the home agent and to nobody else."""

import signal
import time

import attack
import common
import esp
import kernel
import ordering
import topology
import vici
import wire
from lab import HOME_ADDRESS, HOME_AGENT, run, wait_for

AGAIN = "retransmit_timeout = 1.5"  # seconds, instead of 4: of what a move in the midst of a re-key swallows
FAR = "500ms"  # from the home agent to the node: IKE_SA_INIT and IKE_AUTH take a second
FURTHER = "2s"
INTO_THE_EXCHANGE = 0.2  # seconds, of the half that it takes
REKEY = 10  # seconds, of the SAs and of IKE


def scenario(lab):
    for interface in ("r1", "r2"):
        run("tc", "-n", "core", "qdisc", "add", "dev", interface, "root", "netem", "limit", "10000")
    captures = lab.capture_all()
    lab.charon_extra["mn"] = common.NO_ROAMING + AGAIN
    common.charons(lab, "ha", "mn")
    lab.agent()
    move_during_authentication(lab)
    established = time.time()
    watch = vici.Watch(lab.vici_socket("mn"))
    move_during_rekey(lab, watch, "child-rekey", "down", "w2")
    move_during_rekey(lab, watch, "ike-rekey", "up", "w1")
    lab.check("after them the home agent answers", ordering.refresh(), lab.status("mn"))
    without_ike(lab, "a hard move", "down", "w2")
    changes = many_changes(lab)
    common.check_events(lab, "IKE established from", "IKE endpoint moved to", "SAs with the home agent were re-keyed",
                        "IKE re-keyed", "registered in")
    swallowed(lab)
    before = {kind: len(events(watch, kind)) for kind in ("child-rekey", "ike-rekey")}
    killed_and_moved(lab)
    rekeyed_on_time(lab, watch, "ike-rekey", before)
    held_up(lab, watch)
    rekeyed_on_time(lab, watch, "child-rekey", before)
    lab.check("every re-key was asked for by the node, but for that of the lab", asked_by_agent() == 1, asked_by_agent())
    lab.check("after them both ends of IKE are where the node is", settled(lab, "w1"), why(lab))
    lab.stop_captures()
    packets = wire.packets(captures)
    check_rate(lab, packets, changes)
    check_never_anew(lab, packets, established)
    check_nobody_else(lab, packets)


def distance(delay=None, loss=None):
    """Of the home agent's packets to the node."""
    for interface in ("r1", "r2"):
        run("tc", "-n", "core", "qdisc", "change", "dev", interface, "root", "netem", "limit", "10000",
            *(("delay", delay) if delay else ()), *(("loss", loss) if loss else ()))


def settled(lab, interface, timeout=12):
    """The address of this interface if the node is registered there, with K, and both ends of the one IKE_SA know it."""
    def there():
        at = lab.care_of("mn", interface)
        return at if at and lab.registered_at("mn") == at and \
            all(ends == [at] for ends in lab.ike_endpoints()[:2]) and lab.status("mn").get("key_mobility") else None
    return wait_for(there, timeout, 0.2)


def why(lab):
    return f"{lab.ike_endpoints()[:2]} {lab.status('mn')}"


def move_during_authentication(lab):
    distance(FAR)
    lab.node("mn")
    asked = wait_for(lambda: common.charon_said("mn", "generating IKE_AUTH request"), 10, 0.02)
    common.link("w1", "down")
    lab.check("a move during IKE_AUTH: registered, one IKE_SA, at both ends from the new address",
              asked and settled(lab, "w2", 15), why(lab))
    distance()


def without_ike(lab, what, state, target):
    tap = attack.Tap("ha", "wan")
    common.link("w1", state)
    there = settled(lab, target)
    sent = exchanges(tap)
    lab.check(f"{what}: registered, both ends follow, not one IKE packet", there and not sent, (why(lab), sent))


def move_during_rekey(lab, watch, kind, state, target):
    if state == "down":
        without_ike(lab, "a soft move", "up", "w1")
    distance(FAR)
    asked, done = common.charon_said("mn", "generating CREATE_CHILD_SA request"), len(events(watch, kind))
    sa = vici.ike_sas(lab.vici_socket("mn"))[0]
    child = next(iter(sa["child-sas"].values()))["name"]
    vici.ask(lab.vici_socket("mn"), "rekey", {"child": child} if kind == "child-rekey" else {"ike": sa["connection"]})
    begun = wait_for(lambda: common.charon_said("mn", "generating CREATE_CHILD_SA request") > asked, 5, 0.01)
    time.sleep(INTO_THE_EXCHANGE)
    common.link("w1", state)
    there = settled(lab, target)
    lab.check(f"w1 {state} during {kind}: registered, one IKE_SA, at both ends from the new address", begun and there,
              why(lab))
    distance()
    lab.check("and the re-key comes to its end", wait_for(lambda: len(events(watch, kind)) > done, 15, 0.2),
              events(watch))


def events(watch, kind=None):
    return [(when, event) for when, event, _, _, _ in watch.events if kind in (None, event)]


def prefer_first(lab, address, preferred):
    run("ip", "-n", "mn", "addr", "change", f"{address}/64", "dev", "w1", "valid_lft", "1800", "preferred_lft",
        "1800" if preferred else "0")


def many_changes(lab):
    """Eleven changes in about a second: the address on the preferred link is deprecated and comes back."""
    tap = attack.Tap("ha", "wan")
    common.link("w1", "up")
    first = settled(lab, "w1")
    # No advertisement must refresh it meanwhile.
    topology.signal_radvd("ar1", "acc", signal.SIGSTOP)
    time.sleep(1.2)
    begin = time.time()
    for number in range(11):
        prefer_first(lab, first, number % 2 == 1)
        time.sleep(max(0.0, begin + 0.1 * (number + 1) - time.time()))
    end = time.time()
    there = first and settled(lab, "w2")
    sent = exchanges(tap)
    lab.check("eleven changes in a second: registered at the last address, both ends of IKE too, not one IKE packet",
              there and not sent, (why(lab), sent))
    return begin, end


def exchanges(tap):
    return [(packet.source, wire.ike_exchange(packet)) for packet in tap.ike(0.5)]


def asked_by_agent():
    return common.charon_said("ha", "generating CREATE_CHILD_SA request")


def asks_for_a_rekey(frame):
    told = wire.parse(0, "wan", frame)
    return told and told.source == HOME_AGENT and wire.is_ike(told) and wire.ike_exchange(told) == wire.CREATE_CHILD_SA


def swallowed(lab):
    """charon of the home agent asks for a re-key and stops before it has the answer: the node uses keys which the other
    end does not have yet, as it does for some milliseconds of every re-key that it did not ask for."""
    def lost():
        counters = attack.counted(attack.agent_status())
        return sum(count for name, count in counters.items() if name.startswith("kernel/"))
    socket, old = lab.vici_socket("ha"), set(esp.keys("mn"))
    child = next(c["name"] for sa in vici.ike_sas(socket) for c in sa["child-sas"].values() if c["name"] == "reg")
    distance(FURTHER)
    tap = attack.Tap("ha", "wan")
    vici.ask(socket, "rekey", {"child": child})
    asked = next(tap.frames(20, asks_for_a_rekey), None)  # has left: charon logs it before it sends it
    lab.processes["charon.ha"].send_signal(signal.SIGSTOP)
    lab.check("the node has other keys, the home agent's charon asked for them and stands still",
              asked and wait_for(lambda: len(set(esp.keys("mn")) - old) == 2, 10, 0.05), (old, esp.keys("mn")))
    distance()
    before, dropped = ordering.node(), lost()
    ordering.node("refresh")
    gone = wait_for(lambda: lost() > dropped, 10, 0.01)
    lab.processes["charon.ha"].send_signal(signal.SIGCONT)
    answered = wait_for(lambda: ordering.registered() and ordering.node()["counters"]["acknowledged"] >
                        before["counters"]["acknowledged"], 10, 0.05)
    again = ordering.node()["counters"]["retransmissions"] - before["counters"]["retransmissions"]
    lab.check("an update that the re-key swallows is counted, by the home agent's kernel", gone, attack.agent_status())
    lab.check("it is sent once more, which is counted too, and answered", answered and again == lost() - dropped >= 1,
              (again, lost() - dropped, ordering.node()))


def killed_and_moved(lab):
    first = [a.local for a in kernel.addresses("mn", "w1") if a.local.startswith("2001:db8:a1:")][0]
    tap = attack.Tap("ha", "wan")
    lab.stop("mnd.mn", signal.SIGKILL)
    lab.stop("ha", signal.SIGKILL)
    prefer_first(lab, first, True)
    topology.signal_radvd("ar1", "acc", signal.SIGCONT)
    lab.agent()
    lab.node("mn", extra=f"rekey = {REKEY}\nike-rekey = {REKEY}")
    lab.check("both daemons killed, the node moved meanwhile: registered, both ends of the same IKE_SA follow",
              settled(lab, "w1"), why(lab))
    lab.check("and the home address is reachable", lab.ping("cn", HOME_ADDRESS, count=2) == 2)
    sent = exchanges(tap)
    # The keys that the new process found may be older than its limits.
    rekeys, deletions = (sum(kind == wanted for _, kind in sent) for wanted in (wire.CREATE_CHILD_SA, wire.INFORMATIONAL))
    lab.check("not one IKE packet but those of a re-key and of the deletion of what it replaces",
              len(sent) == rekeys + deletions and deletions <= rekeys, sent)


def rekeyed_on_time(lab, watch, kind, before):
    """The age of the keys is that which the new process found."""
    lab.check(f"{kind} in time", wait_for(lambda: len(events(watch, kind)) > before[kind], REKEY + 5, 0.2), events(watch))


def held_up(lab, watch):
    """No answer of the home agent arrives: no re-key begins while the node waits for one."""
    def shortly_before():
        """So near the next one that the update is under way when it is due, and there is time to send it before."""
        due = events(watch, "child-rekey")[-1][0] + REKEY * 0.9
        return 0.6 < due - time.time() < 0.9
    lab.check("a re-key is due", wait_for(shortly_before, 3 * REKEY, 0.05), events(watch))
    distance(loss="100%")
    lab.status("mn", "refresh")
    time.sleep(0.3)
    asked = common.charon_said("mn", "generating CREATE_CHILD_SA request")
    time.sleep(1.7)  # a node that is not answered for longer makes its keys anew
    lab.check("no re-key begins while an update is outstanding",
              common.charon_said("mn", "generating CREATE_CHILD_SA request") == asked, watch.events[-3:])
    distance()
    lab.check("it begins when the update is acknowledged",
              wait_for(lambda: common.charon_said("mn", "generating CREATE_CHILD_SA request") > asked, 10, 0.1),
              lab.status("mn"))


def check_rate(lab, packets, changes):
    """RFC 6275 section 12: MAX_UPDATE_RATE. Captured a moment after they were sent, which is when the node counts."""
    times = sorted(p.time for p in packets if p.link in ("ar1", "ar2") and wire.is_update(p, HOME_ADDRESS, HOME_AGENT))
    during = [t for t in times if changes[0] <= t <= changes[1] + 3]
    most = max((sum(t <= other < t + 0.9 for other in times) for t in times), default=0)
    lab.check("the changes are told in more than one update, never in more than three within a second",
              len(during) > 2 and most <= 3, (len(during), most))


def check_never_anew(lab, packets, established):
    anew = [(p.source, wire.ike_exchange(p)) for p in packets if wire.is_ike(p) and p.time > established and
            not p.source.startswith("2001:db8:a3:") and wire.ike_exchange(p) in (wire.IKE_SA_INIT, wire.IKE_AUTH)]
    lab.check("IKE was established once and never anew", not anew, anew[:4])


def check_nobody_else(lab, packets):
    """No home address option, no Mobility Header, no ESP for correspondents and routers, on no link, in no tunnel: so no K
    either."""
    ours = [p for p in packets if (p.option or p.clear or p.protocol == wire.ESP) and p.source != HOME_AGENT]
    others = [p for p in ours if p.destination != HOME_AGENT]
    lab.check("the node speaks Mobile IPv6 with its home agent alone", ours and not others, others[:4])
