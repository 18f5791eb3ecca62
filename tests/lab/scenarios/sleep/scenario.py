"""The machine really sleeps (S3), with all that is in it: node, home agent, routers. It wakes up in another network, after the
registration has ended. mnd notices by itself and registers there, and a connection lives through it. (Once: from a second
sleep qemu's alarm clock wakes a machine at once.)"""

import re
import signal
import time

import common
import roads
from lab import HOME_ADDRESS, RUN, program, run, say, wait_for

SECONDS = 20
LIFETIME = 16  # seconds: over while the machine sleeps


def scenario(lab):
    if not common.begin(lab, capture=False, extra=f"lifetime = {LIFETIME}"):
        return
    session = roads.Session()
    before = lab.status()["counters"]["acknowledged"]
    slept = sleep(lab)
    lab.check("the machine has slept", slept >= SECONDS - 2, slept)
    lab.check("mnd notices that by itself", wait_for(lambda: resumed(lab), 10), lab.status(command="events"))
    lab.check("it is registered in the network in which the machine woke up", wait_for(
        lambda: lab.care_of("mn", "w2") == lab.registered_at() and lab.status()["counters"]["acknowledged"] > before, 20),
        lab.status())
    session.say()
    lab.check("a connection goes on", session.heard(20), (session.sent, session.received))
    lab.check("the home address is reached", wait_for(lambda: lab.ping("cn", HOME_ADDRESS, count=1), 10))
    common.stop_and_compare(lab)


def sleep(lab):
    """For how long it was, by two clocks. mnd stands still before the machine does: what is done to the links then happens in
    its sleep."""
    before = lab.status()["counters"]["acknowledged"]
    run(program("mip6ctl"), "--socket", f"{RUN}/mn.control", "refresh")
    wait_for(lambda: lab.status()["counters"]["acknowledged"] > before, 10)
    mnd = lab.processes["mnd.mn"]
    mnd.send_signal(signal.SIGSTOP)
    common.link("w1", "down")
    ahead = time.clock_gettime(time.CLOCK_BOOTTIME) - time.monotonic()
    say(run("rtcwake", "-m", "mem", "-s", str(SECONDS), "-d", "/dev/rtc0", check=False))
    slept = time.clock_gettime(time.CLOCK_BOOTTIME) - time.monotonic() - ahead
    # A timer of CLOCK_MONOTONIC would have the whole lifetime before it.
    lab.check("the binding has ended in the sleep", wait_for(lambda: not common.agent_route(), 0.5), common.agent_route())
    mnd.send_signal(signal.SIGCONT)
    return slept


def resumed(lab):
    """What mnd has said of a sleep as long as this one."""
    return [one for one in lab.status(command="events").get("events", [])
            if one["kind"] == "resumed" and int(re.search(r"slept (\d+) s", one["text"])[1]) >= SECONDS - 2]
