"""NetworkManager takes a connection down and up again: its hook tells mnd before, and the node has moved by then, so no ping
through the tunnel is lost. The hook ends at once without mnd, and in time when mnd hangs."""

import signal
import time

from desktop import Desktop, figure, hook
from lab import HOME_ADDRESS, RUN, run, wait_for
from traffic import Pings


def scenario(lab):
    desktop = Desktop(lab)
    desktop.connection("net1", "w1", "mnd.preference=5")
    desktop.connection("net2", "w2")
    # What is on its way to the node when a link goes is lost, unless the home agent knew before.
    for interface in ("r1", "r2"):
        run("tc", "qdisc", "add", "dev", interface, "root", "netem", "delay", "40ms", namespace="core")
    desktop.begin("net1", "net2")
    at = lab.wait_registered("mn", timeout=40)
    lab.check("the node registers on the preferred connection", at and at == lab.care_of("mn", "w1"), lab.status_text())
    moves(lab)
    hooks(lab)


def moves(lab):
    ping = lab.start("ping", "cn", "ping", "-n", "-D", "-i", "0.02", HOME_ADDRESS)
    time.sleep(2)
    begin = time.time()
    run("nmcli", "connection", "down", "net1")
    second = lab.care_of("mn", "w2")
    lab.check("the node is at the other connection when the first is down", lab.wait_registered("mn", second),
              lab.status_text())
    end = time.time()
    time.sleep(1)
    ping.send_signal(signal.SIGINT)
    ping.wait()
    pings = Pings((RUN / "ping.log").read_text(encoding="utf-8"))
    lost = pings.lost(end)
    lab.check("no ping is lost when a connection is taken down", pings.transmitted and not lost, f"{len(lost)} lost")
    figure(f"pre-down: longest gap {pings.longest_gap(begin, end):.0f} ms, "
           f"of the unmoving second before {pings.longest_gap(begin - 1, begin):.0f} ms; {len(lost)} lost")
    run("nmcli", "connection", "up", "net1")
    lab.check("the node returns when it is up again",
              wait_for(lambda: (at := lab.registered_at("mn")) and at == lab.care_of("mn", "w1"), 15), lab.status_text())


def hooks(lab):
    """The hook as it is packaged, with its own patience."""
    pid = int(run("systemctl", "show", "-P", "MainPID", "mnd.service"))
    for doing, signals in (("hangs", "-STOP"), ("runs", "-CONT")):
        run("kill", signals, str(pid))
        for event in ("pre-down", "up"):
            before = time.monotonic()
            status, said = hook("w1", event)
            figure(f"hook, {event}, with mnd that {doing}: {1000 * (time.monotonic() - before):.0f} ms")
            lab.check(f"{event}: the hook ends while mnd {doing}", status == 0 and
                      (not said or event == "pre-down" and "has not answered" in said), f"{status} {said}")
            if doing == "hangs" and event == "pre-down":
                lab.check("and says that it does", "has not answered" in said, said)
    run("systemctl", "stop", "mnd.service")
    before = time.monotonic()
    status, said = hook("w1", "pre-down")
    figure(f"hook, pre-down, without mnd: {1000 * (time.monotonic() - before):.0f} ms")
    lab.check("without mnd the hook has nothing to say", status == 0 and not said, f"{status} {said}")
