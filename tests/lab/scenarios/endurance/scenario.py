"""Ten changes a second for a minute: the node tells of the last one, in three updates a second at most, a connection lives
through all of it, and the user is told that and what it costs. Sixty moves in peace leave everything as it was. Then nothing
happens: the node is asleep, and sends nothing. LAB_THRASHING, LAB_MOVES, LAB_IDLE: other numbers of seconds (0: no
thrashing), moves, seconds."""

import json
import os
import re
import signal
import time
from pathlib import Path

import attack
import common
import kernel
import roads
import soak
import topology
import wire
from lab import HOME_ADDRESS, HOME_AGENT, NODES, OUT, ROOT, RUN, program, run, say, wait_for

NODES["mn"]["prefer"] = ""
SECONDS = int(os.environ.get("LAB_THRASHING", 60))
MOVES = int(os.environ.get("LAB_MOVES", 60))
IDLE = int(os.environ.get("LAB_IDLE", 20))
PAUSE = 0.1  # between two changes
RATE = 3  # MAX_UPDATE_RATE, RFC 6275 section 12
MEMORY = 10 * 1024  # KiB
EXAMPLE = ROOT / "packaging/strongswan/mnd.conf"


def scenario(lab):
    # As an administrator has it; without it charon looks for other ways at every change of a route.
    lab.charon_extra["mn"] = re.search(r"plugins \{.*\n  \}\n", EXAMPLE.read_text(encoding="utf-8"), re.DOTALL)[0]
    if not common.begin(lab, capture=False):
        return
    ways = roads.Roads()
    result = {"thrashing": thrash(lab, ways) if SECONDS else None, "soak": soak.soak(lab, ways, MOVES), "idle": idle(lab)}
    check_trace(lab, ways)
    lab.check("routes were changed as wanted", ways.close() == 0)
    (OUT / "result.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    say(json.dumps(result))
    common.stop_and_compare(lab)


# --- thrashing ---

def thrash(lab, ways):
    first = lab.wait_registered("mn", lab.care_of("mn", "w1"))
    lab.check("the node follows the better metric", first, lab.status("mn"))
    captures = {link: lab.capture(link, link, "acc", lab.MOBILITY) for link in ("ar1", "ar2")}
    wait_for(lambda: all(path.exists() for path in captures.values()), 5)
    session = roads.Session()
    before, used = lab.status("mn")["counters"], lab.status("mn", "sequence")["used"]
    begin = time.time()
    count = changes(ways, session)
    end = time.time()
    there = lab.wait_registered("mn", lab.care_of("mn", ways.at), 5)
    settled = time.time() - end
    after = lab.status("mn")
    lab.check(f"after {count} changes in {SECONDS} s the node is registered where the last one led", there, after)
    lab.check("a connection lives through all of them", session.heard(10), (session.sent, session.received))
    lab.stop_captures()
    after = lab.status("mn")  # what was captured is counted by now
    held, sent = after["counters"]["rate_limited"], after["counters"]["updates_sent"] - before["updates_sent"]
    tell_user(lab, used, sent, held)
    told = check_rate(lab, captures, begin, end)
    lab.check("each update is told of", 0 <= sent - told <= RATE, (sent, told))
    return {"changes": count, "seconds": SECONDS, "updates": told, "held_back": held, "registered_after_s": round(settled, 2)}


def changes(ways, session):
    """As many as in SECONDS, an odd number: the last one leads elsewhere than the first began."""
    count, begin = int(SECONDS / PAUSE) | 1, time.monotonic()
    for number in range(count):
        ways.change()
        session.say()
        time.sleep(max(0.0, begin + PAUSE * (number + 1) - time.monotonic()))
    return count


def check_rate(lab, captures, begin, end):
    """Captured a moment after they were sent, which is when the node counts. Gives how many there were."""
    times = [p.time for p in wire.packets(captures) if wire.is_update(p, HOME_ADDRESS, HOME_AGENT) and p.time >= begin]
    most = max((sum(t <= other < t + 0.9 for other in times) for t in times), default=0)
    lab.check(f"never more than {RATE} updates a second, and not many fewer", most <= RATE and len(times) > SECONDS,
              (most, len(times)))
    return len(times)


def tell_user(lab, used, sent, held):
    lab.check("most changes are held back, not told", held > sent > 0, (held, sent))
    sequence = lab.status("mn", "sequence")
    lab.check("mip6ctl sequence has all the numbers that were used", sequence["used"] - used >= sent,
              (used, sent, sequence))
    present = next((one for one in sequence["forecast"] if one["rate"] == "present"), {})
    lab.check("it tells how long the rest lasts at this rate",
              present.get("per_ten_minutes", 0) >= sent and 0 < (present.get("until_half_s") or 0), present)
    told = run(program("mip6ctl"), "--socket", f"{RUN}/mn.control", "status")
    lab.check("mip6ctl status tells how often the limit held an update back", f"; {held} held back" in told, told)
    findings = [one["check"] for one in lab.status("mn", "doctor").get("findings", [])]
    lab.check("mip6ctl doctor warns of thrashing, though keys renew themselves", "thrashing" in findings, findings)


def check_trace(lab, ways):
    """The last move is an undisturbed, soft one; then a hard one follows."""
    wanted = ["notification read", "path to the home agent set", "attachment chosen", "home address option set", "update sent",
              "acknowledgement received", "payload switched", "keys moved"]

    def moves():
        return lab.status("mn", "trace").get("moves", [])

    before = moves()[-1]["monotonic_us"]

    def told(count=None):
        """A move since then has these steps; of them so many are looked at."""
        last = moves()[-1]
        return (last["monotonic_us"] != before and last["result"] == "registered" and
                [step["step"] for step in last["steps"]][:count] == wanted[:count])
    held = lab.status()["counters"]["rate_limited"]
    ways.change()
    lab.check("mip6ctl trace has each step of the last moves, the update before all that can wait",
              wait_for(told, 10) and len(moves()) == 16, moves()[-2:])
    lab.check("a single change is held back by nothing", lab.status()["counters"]["rate_limited"] == held, held)
    drawn = run(program("mip6ctl"), "--socket", f"{RUN}/mn.control", "trace")
    (OUT / "trace.txt").write_text(drawn, encoding="utf-8")
    lab.check("and draws them", "|  update sent" in drawn and "|  keys moved" in drawn, drawn[-800:])
    ways.change()
    back = lab.wait_registered("mn", lab.care_of("mn", "w1"), 10)
    before = moves()[-1]["monotonic_us"]
    kernel.set_link("mn", "w1", False)
    lab.check("in a hard move, too, all that can wait comes after the update", back and wait_for(lambda: told(5), 10),
              moves()[-2:])
    kernel.set_link("mn", "w1", True)
    wait_for(lambda: lab.care_of("mn", "w1"), 10)
    ways.link_was_down()


# --- nothing happens ---

def switches(lab, name):
    """How often a process was put to sleep or interrupted, of all its threads."""
    total = 0
    for path in Path(f"/proc/{lab.processes[name].pid}/task").glob("*/status"):
        total += sum(map(int, re.findall(r"ctxt_switches:\s+(\d+)", path.read_text(encoding="utf-8"))))
    return total


def advertisements(sent):
    for router in ("ar1", "ar2"):
        topology.signal_radvd(router, "acc", sent)


def idle(lab):
    advertisements(signal.SIGSTOP)
    taps = [attack.Tap("ar1", "acc"), attack.Tap("ar2", "acc")]
    # Neighbours ask for each other five seconds after the last packet (RFC 4861 section 10, DELAY_FIRST_PROBE_TIME).
    quiet = wait_for(lambda: not packets(taps, 6), 30, 0)
    lab.check("it becomes quiet", quiet)
    before, processor = switches(lab, "mnd.mn"), lab.usage("mnd.mn")["cpu_ms"]
    seen = packets(taps, IDLE)
    woken, usage = switches(lab, "mnd.mn") - before, lab.usage("mnd.mn")
    apart = advertised(lab, taps)
    strange = [p for p in seen if not allowed(p)]
    told = [p for p in seen if p.protocol != wire.ICMP]
    lab.check(f"in {IDLE} s mnd is woken once a minute at most", woken <= max(1, IDLE // 60), woken)
    lab.check("nothing is sent but refreshes and what IKE needs", not strange and len(told) <= 2 * IDLE // 15 and
              len(seen) <= 4 * len(told), (len(told), len(seen), strange[:4]))
    if not sanitized():  # what it says of a release; of the packaged one tests/system, scenario networkmanager
        lab.check("mnd has 10 MiB at most", 0 < usage["rss_kib"] <= MEMORY, usage)
    return {"seconds": IDLE, "woken": woken, "packets": len(seen), "woken_by_advertisements": apart,
            "rss_kib": usage["rss_kib"], "cpu_ms": usage["cpu_ms"] - processor}


def advertised(lab, taps):
    """How often advertisements that change nothing wake mnd, some of them on each link; then they come as before."""
    before, seen = switches(lab, "mnd.mn"), set()

    def told():
        found = {number for number, tap in enumerate(taps) for frame in tap.passed(0)
                 if frame[20] == wire.ICMP and frame[54] == 134}
        seen.update(found)
        return len(seen) == len(taps)
    advertisements(signal.SIGCONT)
    lab.check("advertisements are there again", wait_for(told, 10), seen)
    return switches(lab, "mnd.mn") - before


def sanitized():
    cache = Path(os.environ["LAB_BIN_DIR"]) / "CMakeCache.txt"
    return cache.exists() and "MND_SANITIZE:STRING=undefined" in cache.read_text(encoding="utf-8")


def packets(taps, pause):
    """What passes on the node's links, sent by anybody."""
    time.sleep(pause)
    found = [wire.parse(0, "tap", frame) for tap in taps for frame in tap.passed(0)]
    return [p for p in found if p]


def allowed(packet):
    """An update and its answer, IKE asking whether the peer lives; because of which node and router ask for each
    other's addresses (Neighbor Solicitation and Advertisement), three at most."""
    return wire.is_update(packet, HOME_ADDRESS, HOME_AGENT) or wire.is_acknowledgement(packet, HOME_ADDRESS, HOME_AGENT) or \
        wire.is_ike(packet) and wire.ike_exchange(packet) == wire.INFORMATIONAL or \
        packet.protocol == wire.ICMP and packet.payload[0] in (135, 136)
