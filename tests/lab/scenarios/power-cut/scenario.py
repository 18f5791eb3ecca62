"""Power cuts: both daemons keep their state on a disk, and all processes of the kernel are killed in the middle of a
registration, again and again. After each cut the acknowledged binding and number are there at the home agent, the node
goes on after all the numbers that it has used, and is registered at its first update."""

import json
import os
import signal
import time
from pathlib import Path

import common
import esp
import ordering
from lab import OUT, run, wait_for

BOOT, BOOTS = int(os.environ["LAB_BOOT"]), int(os.environ["LAB_BOOTS"])
DISK, KEYS, JOURNAL = Path("/run/disk"), OUT / "keys.jsonl", OUT / "messages.jsonl"


def scenario(lab):
    DISK.mkdir()
    run("modprobe", "-d", os.environ["LAB_MODULES"], "-S", os.environ["LAB_KERNEL"], "ext4")
    run("mount", "-t", "ext4", "/dev/ubda", str(DISK))
    lab.state = DISK
    before = past()
    lab.recorder = ordering.Recorder(["ar1", "ar2"], JOURNAL)
    common.charons(lab, "ha", "mn")
    lab.agent()
    if before:
        remembered(lab, ordering.ready(lab), *before)
    lab.node("mn")
    if not lab.check(f"boot {BOOT}: the node registers", ordering.registers(), ordering.node()):
        return
    remember_keys()
    if before:
        goes_on(lab, before[0])
        replayed(lab)
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
    lab.check(f"boot {BOOT}: and the binding", held and held.get("care_of") and held.get("lifetime_left", 0) > 0, held)


def goes_on(lab, last_used):
    mine = [m for m in ordering.opened(lab.recorder.seen, known_keys())[0]]
    updates, answers = [m for m in mine if m.status is None], [m for m in mine if m.status is not None]
    steps = ordering.ahead(updates[0].number, last_used.number) if updates else 0
    lab.check(f"boot {BOOT}: the node goes on after all the numbers that it has used", 1 <= steps <= 128,
              (last_used, updates))
    lab.check(f"boot {BOOT}: its first update is accepted", answers and answers[0].status == 0, (updates, answers))


def replayed(lab):
    """Updates from before the cut, once more."""
    present = esp.keys("mn")
    old = [one for one in ordering.recorded(JOURNAL) if one.update and one.spi not in present][-4:]
    accepted, refused = ordering.agent()[0]["accepted"], lab.xfrm_errors("ha").get("XfrmInNoStates", 0)
    ordering.send_again(old)
    counted = wait_for(lambda: lab.xfrm_errors("ha").get("XfrmInNoStates", 0) >= refused + len(old), 5)
    lab.check(f"boot {BOOT}: updates from before the cut are refused, and counted as without a state", old and counted and
              ordering.agent()[0]["accepted"] == accepted, (len(old), lab.xfrm_errors("ha"), ordering.agent()))


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
