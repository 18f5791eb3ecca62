"""Power cuts: both daemons keep their state on a disk, and all processes of the kernel are killed in the middle of a
registration, again and again; with manual keys, later with dynamic ones. After each cut the acknowledged binding and
number are there at the home agent, payload for the node is tunnelled before it has said a word, it goes on after all the
numbers that it has used, and is registered at its first update. Updates from before the cut are refused: by their number
under manual keys, which have seen them. A second node, with a certificate and protect = payload, is away from the first cut
to the last: nothing for it leaves in the clear meanwhile."""

import json
import os
import shutil
import signal
import time
from pathlib import Path

import attack
import common
import esp
import lab as the_lab
import ordering
import pki
import prepared
import spoof
from lab import CORRESPONDENT, HOME_ADDRESS, HOME_AGENT, NODES, OUT, RUN, ask, inside, run, wait_for

BOOT, BOOTS = int(os.environ.get("LAB_BOOT", 1)), int(os.environ.get("LAB_BOOTS", 1))  # prepare() has none
LAST_WITH_MANUAL_KEYS = BOOTS // 2 + 1  # which ends with dynamic ones: half of the cuts are theirs
DISK, KEYS, JOURNAL = Path("/run/disk"), OUT / "keys.jsonl", OUT / "messages.jsonl"
PROTECTED = NODES["mn2"]
NO_STATE = "XfrmOutNoStates"


def prepare():
    prepared.manual_keys(OUT)
    pki.root("root", pki.ECDSA)
    pki.issue_bundle("ha", HOME_AGENT)
    pki.issue_bundle("mn2", PROTECTED["home_address"])


def scenario(lab):
    manual = BOOT <= LAST_WITH_MANUAL_KEYS
    if manual:
        NODES["mn"]["manual_keys"] = OUT / "mn.keys"
    DISK.mkdir()
    run("modprobe", "-d", os.environ["LAB_MODULES"], "-S", os.environ["LAB_KERNEL"], "ext4")
    run("mount", "-t", "ext4", os.environ["LAB_DISK_DEVICE"], str(DISK))
    lab.state = DISK
    the_lab.PLUGINS += pki.PLUGINS
    lab.agent_extra = f"certificate = {pki.bundle('ha')}"
    PROTECTED.update(identity=PROTECTED["home_address"], certificate=pki.bundle("mn2"), agent_lines=["protect = payload"])
    before = past()
    lab.recorder = ordering.Recorder(["ar1", "ar2"], JOURNAL)
    if not before:
        for end in ("mn", "ha"):
            shutil.copytree(OUT / f"{end}.state", DISK / f"{end}.state")
        os.sync()  # as the daemons do
    with_both = BOOT in (1, BOOTS)
    common.charons(lab, "ha", *([] if manual else ["mn"]), *(["mn2"] if with_both else []))
    lab.agent()
    if before:
        remembered(lab, ordering.ready(lab), *before)
        unspoken(lab)
        if manual:
            replayed_to_its_memory(lab, before[1])
    if with_both:
        lab.node("mn2", "protect = payload\nlifetime = 3600")
    lab.node("mn")
    if not lab.check(f"boot {BOOT}: the node registers", ordering.registers(), ordering.node()):
        return
    remember_keys()
    if with_both:
        lab.check(f"boot {BOOT}: the node with a certificate registers, and its payload is under ESP", lab.wait_registered(
            "mn2", timeout=20) and wait_for(lambda: lab.status("mn2").get("payload") == "under ESP", 10) and
            lab.ping("cn", PROTECTED["home_address"]) >= 2, lab.status("mn2"))
    if before:
        goes_on(lab, before[0])
        if not manual:
            replayed(lab)
    if BOOT == LAST_WITH_MANUAL_KEYS:
        takes_dynamic_keys(lab)
    if BOOT < BOOTS:
        work_until_the_cut(lab)
    else:
        ordering.check_numbers(lab, ordering.recorded(JOURNAL), known_keys(), "over all boots")


def past():
    """(last number used, last acceptance) of the boots before this one; None in the first."""
    messages, _ = ordering.opened(ordering.recorded(JOURNAL), known_keys())
    updates = [m for m in messages if m.status is None]
    accepted = [m for m in messages if m.status == 0]
    return (updates[-1], accepted[-1]) if accepted else None


def known_keys():
    lines = KEYS.read_text(encoding="utf-8").splitlines() if KEYS.exists() else []
    return {int(spi): key for line in lines for spi, key in json.loads(line).items()}


def remember_keys():
    ordering.append(KEYS, json.dumps(esp.keys("mn")) + "\n")


def remembered(lab, held, last_used, accepted):
    """The binding that was acknowledged last, or a later one whose acknowledgement did not get out."""
    at_least = held and ordering.ahead(held["sequence"], accepted.number) <= ordering.ahead(last_used.number,
                                                                                            accepted.number)
    lab.check(f"boot {BOOT}: the home agent has the number that it acknowledged", at_least, (held, accepted, last_used))
    lab.check(f"boot {BOOT}: and the binding, with what is left of its lifetime", held and held.get("care_of") and
              0 < held["lifetime_left"] < 4 * accepted.lifetime, (held, accepted))


def unspoken(lab):
    """Payload for both nodes, of which neither runs yet: the one that is under ESP has no keys."""
    held = {one["home_address"]: one.get("care_of") for one in ask(RUN / "ha.control", "list").get("bindings", [])}
    lab.check(f"boot {BOOT}: the home agent has the binding of the node with a certificate, too",
              held.get(PROTECTED["home_address"]), held)
    tap, before = attack.Tap("ha", "wan"), lab.xfrm_errors("ha").get(NO_STATE, 0)
    for home in (PROTECTED["home_address"], HOME_ADDRESS):
        inside("cn", lambda h=home: spoof.send_raw(spoof.ipv6(CORRESPONDENT, h, spoof.ICMPV6, spoof.echo(CORRESPONDENT, h)), h))
    left, outer = [], spoof.packed(HOME_AGENT) + spoof.packed(held[HOME_ADDRESS])
    for arrived, frame in tap.frames(20, lambda frame: b"forged" in frame):
        if not arrived:
            left.append(frame)
            break
    lab.check(f"boot {BOOT}: before it has said a word payload is tunnelled to the node", left and
              left[0][20] == spoof.IPV6 and left[0][22:54] == outer and left[0][78:94] == spoof.packed(HOME_ADDRESS), left)
    refused = wait_for(lambda: lab.xfrm_errors("ha").get(NO_STATE, 0) > before, 5)
    left += [frame for arrived, frame in tap.frames(0.2, lambda frame: b"forged" in frame) if not arrived]
    lab.check(f"boot {BOOT}: what is to be under ESP leaves not at all while there are no keys", refused and len(left) == 1,
              (left, before, lab.xfrm_errors("ha")))


def goes_on(lab, last_used):
    """The node may have the answer before the recorder has read it."""
    def seen():
        messages = ordering.opened(lab.recorder.seen, known_keys())[0]
        return [m for m in messages if m.status is None], [m for m in messages if m.status is not None]
    wait_for(lambda: all(seen()), 5)
    updates, answers = seen()
    steps = ordering.ahead(updates[0].number, last_used.number) if updates else 0
    lab.check(f"boot {BOOT}: the node goes on after all the numbers that it has used", 1 <= steps <= 128,
              (last_used, updates))
    lab.check(f"boot {BOOT}: its first update is accepted", answers and answers[0].status == 0, (updates, answers))


def replayed(lab):
    """Updates from before the cut, once more: dynamic keys have ended with it."""
    present = esp.keys("mn")
    old = [one for one in ordering.recorded(JOURNAL) if one.update and one.spi not in present]
    refused(lab, old[-4:], "as without a state", lambda: lab.xfrm_errors("ha").get("XfrmInNoStates", 0))


def replayed_to_its_memory(lab, accepted):
    """Updates up to the accepted one, before the node sends any: the home agent's kernel takes them, for it has the same keys
    and has seen no packet, so that nothing refuses them but the number that is on the disk."""
    known = known_keys()
    old = [one for one in ordering.recorded(JOURNAL) if one.update and
           ordering.ahead(accepted.number, ordering.opened([one], known)[0][0].number) < 32768]
    refused(lab, old[-4:], "by their number", lambda: ordering.agent()[0]["refused"].get("135", 0))


def refused(lab, packets, how, count):
    (counters, held), before = ordering.agent(), count()
    ordering.send_again(packets)
    counted = wait_for(lambda: count() - before >= len(packets), 5)
    after, held_after = ordering.agent()
    same = counters["accepted"] == after["accepted"] and all(held[key] == held_after[key] for key in ("care_of", "sequence"))
    lab.check(f"boot {BOOT}: updates from before the cut are refused, and counted {how}", packets and counted and same,
              (len(packets), before, count(), held, held_after))


def takes_dynamic_keys(lab):
    """From now on; the node's next number is what the home agent knows."""
    lab.stop("mnd.mn")
    lab.stop("ha")
    del NODES["mn"]["manual_keys"]
    common.charons(lab, "mn")
    lab.agent()
    common.agent_ready(lab)
    lab.node("mn")
    lab.check(f"boot {BOOT}: with dynamic keys in place of the manual ones the node registers", ordering.registers(),
              ordering.node())
    remember_keys()


def work_until_the_cut(lab):
    """Registrations one after the other; the power goes at another moment of one of them in each boot."""
    for _ in range(3):
        ordering.refresh()
    remember_keys()
    if BOOT % 2:
        ordering.node("refresh")
    else:  # a node that starts stores a block of numbers first
        lab.stop("mnd.mn", signal.SIGKILL)
        lab.node("mn")
        time.sleep(0.05)
    time.sleep(0.004 * (BOOT - 1))
    (OUT / "cut").write_text("now\n", encoding="utf-8")
    while True:
        ordering.refresh()
