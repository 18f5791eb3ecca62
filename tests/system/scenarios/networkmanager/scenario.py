"""NetworkManager takes a connection down and up again: its hook tells mnd before, and the node has moved by then, so no ping
through the tunnel is lost. What profiles say of their connections (mnd.preference, mnd.exclude, mnd.home) takes effect, and
that a network has opened, or a VPN has come, makes the node register again. mnd is as small as it says. The hook ends at
once without mnd, and in time when mnd hangs: NetworkManager goes on. Its doctor finds nothing, and names are resolved."""

import signal
import subprocess
import sys
import time
from pathlib import Path

from desktop import AT_HOME, NAS, OF_W1, PORTAL, Desktop, figure, hook
from lab import CORRESPONDENT, HOME_ADDRESS, RUN, resident_kib, run, wait_for
from traffic import Pings

REMEMBERED = Path("/run/mnd-connections")  # by the hook
PRE_DOWN = Path("/etc/NetworkManager/dispatcher.d/pre-down.d")
CHECK = Path("/etc/NetworkManager/conf.d/check.conf")
PAGE = """
import http.server, socket, sys

class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("X-NetworkManager-Status", "online")
        self.end_headers()
        self.wfile.write(b"here")

http.server.HTTPServer.address_family = socket.AF_INET6
http.server.HTTPServer((sys.argv[1], 80), Page).serve_forever()
"""


def scenario(lab):
    desktop = Desktop(lab)
    desktop.connection("net1", "w1")
    desktop.connection("net2", "w2", "mnd.preference=5")
    desktop.resolvers()
    # What is on its way to the node when a link goes is lost, unless the home agent knew before.
    for interface in ("r1", "r2"):
        run("tc", "qdisc", "add", "dev", interface, "root", "netem", "delay", "40ms", namespace="core")
    desktop.begin("net1", "net2")
    at = lab.wait_registered("mn", timeout=40, on="w2")
    lab.check("the node registers on the preferred connection, which came up last", at, lab.status_text())
    said = wait_for(lambda: (said := doctor()).returncode == 0 and said, 20, 0.5) or doctor()
    lab.check("mip6ctl doctor finds nothing", said.returncode == 0, said.stdout + said.stderr)
    moves(lab)
    profiles(lab, desktop)
    connectivity(lab)
    hooks(lab, desktop)


def doctor():
    return subprocess.run(["mip6ctl", "doctor"], capture_output=True, text=True, check=False)


def moves(lab):
    for name, when in (("89-before", "before"), ("91-after", "after")):  # in this order, around 90-mnd
        (PRE_DOWN / name).write_text(f"#!/bin/sh\nread -r up idle </proc/uptime\necho $up >{RUN}/hook.{when}\n",
                                     encoding="ascii")
        (PRE_DOWN / name).chmod(0o755)
    remembered = REMEMBERED / "w2.conf"
    there = remembered.exists()
    lab.start("ping", "cn", "ping", "-n", "-D", "-i", "0.02", HOME_ADDRESS)
    time.sleep(2)
    begin = time.time()
    run("nmcli", "connection", "down", "net2")
    first = lab.care_of("mn", "w1")
    lab.check("the node is at the other connection when the first is down", lab.wait_registered("mn", first),
              lab.status_text())
    end = time.time()
    time.sleep(1)
    lab.stop("ping", signal.SIGINT)
    pings = Pings((RUN / "ping.log").read_text(encoding="utf-8"))
    lost = pings.lost(end)
    lab.check("no ping is lost when a connection is taken down", pings.transmitted and not lost, f"{len(lost)} lost")
    figure(f"pre-down: longest gap {pings.longest_gap(begin, end):.0f} ms, "
           f"of the unmoving second before {pings.longest_gap(begin - 1, begin):.0f} ms; {len(lost)} lost")
    before, after = (float((RUN / f"hook.{when}").read_text(encoding="ascii")) for when in ("before", "after"))
    figure(f"pre-down: NetworkManager waited {1000 * (after - before):.0f} ms for the hook, to 10 ms")
    for name in ("89-before", "91-after"):
        (PRE_DOWN / name).unlink()
    lab.check("down: what the profile said is forgotten", there and wait_for(lambda: not remembered.exists(), 20, 0.2),
              f"{there} {list(REMEMBERED.glob('*'))}")
    run("nmcli", "connection", "up", "net2")
    lab.check("the node returns when it is up again", lab.wait_registered("mn", timeout=15, on="w2"), lab.status_text())


def profiles(lab, desktop):
    """Preference 5 of net2 is what the first check saw."""
    def there(interface):
        return lab.wait_registered("mn", timeout=20, on=interface)

    desktop.change("net1", "w1", "mnd.preference=9")
    lab.check("mnd.preference: the node goes to the connection whose profile has more of it", there("w1"), lab.status_text())
    desktop.named("away", (AT_HOME, NAS), (OF_W1, PORTAL))
    desktop.change("net1", "w1", "mnd.exclude=yes")
    lab.check("mnd.exclude: it leaves a connection whose profile says so", there("w2"), lab.status_text())
    run("nmcli", "connection", "down", "net2")
    lab.check("mnd.exclude: nor goes there where there is no other", wait_for(
        lambda: lab.status().get("state") == "detached" and lab.care_of("mn", "w1"), 20, 0.2), lab.status_text())
    remembered = REMEMBERED / "w1.conf"
    before = remembered.exists()
    desktop.change("net1", "w1", "")
    lab.check("without it, it does", there("w1"), lab.status_text())
    lab.check("up: what the profile says no more is forgotten", before and not remembered.exists(), before)
    run("nmcli", "connection", "up", "net2")
    there("w2")
    desktop.connection("home", "wh", "mnd.home=no")
    desktop.up("home")
    on_wh = wait_for(lambda: [one for one in lab.status("mn", "links").get("links", [])
                              if one["interface"] == "wh" and one["address"]], 20, 0.2)
    lab.check("mnd.home=no: the home link is none where the profile says so", on_wh and there("w2") and
              not lab.status()["attachment"]["at_home"], (on_wh, lab.status_text()))
    # It was at home until the hook came, and the home agent looked for its address on a link that is still up.
    counters = lab.status()["counters"]
    lab.check("and has given its address up there before the home agent looks for duplicates", not counters["refused"],
              counters)
    desktop.change("home", "wh", "mnd.home=yes")
    lab.check("mnd.home=yes: then the node comes home", wait_for(
        lambda: lab.status().get("state") == "at home" and lab.registered_at("mn") == HOME_ADDRESS, 20, 0.2), lab.status_text())
    run("nmcli", "connection", "down", "home")
    lab.check("and leaves again", there("w2"), lab.status_text())


def connectivity(lab):
    """NetworkManager looks for a page that the correspondent serves, or does not yet."""
    with open("/etc/hosts", "a", encoding="ascii") as hosts:  # it reads no address in brackets
        hosts.write(f"{CORRESPONDENT} page.example\n")
    CHECK.write_text("[connectivity]\nuri=http://page.example/\nresponse=here\ninterval=300\n", encoding="utf-8")
    run("systemctl", "reload", "NetworkManager.service")

    def looks(finds):
        return wait_for(lambda: run("nmcli", "networking", "connectivity", "check").strip() == finds, 20, 0.5)

    def sent():
        return lab.status()["counters"]["updates_sent"]
    lab.check("NetworkManager sees a network that is not open", looks("limited"), run("nmcli", "networking", "connectivity"))
    before = sent()
    lab.start("page", "cn", sys.executable, "-c", PAGE, CORRESPONDENT)
    lab.check("then that it has opened", looks("full"), run("nmcli", "networking", "connectivity"))
    lab.check("connectivity-change: the node registers again", wait_for(lambda: sent() > before, 20, 0.2), (before, sent()))
    before = sent()
    status, said = hook("tun0", "vpn-up")
    lab.check("vpn-up: the node registers again", status == 0 and not said and wait_for(lambda: sent() > before, 20, 0.2),
              (status, said, before, sent()))


def hooks(lab, desktop):
    """The hook as it is packaged, with its own patience."""
    pid = int(run("systemctl", "show", "-P", "MainPID", "mnd.service"))
    resident = resident_kib(pid)
    lab.check("mnd has 10 MiB at most", resident <= 10 * 1024, f"{resident} KiB")
    figure(f"memory of mnd: {resident / 1024:.1f} MiB")
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
        if doing == "hangs":
            taken_down(lab, desktop)
    run("systemctl", "stop", "mnd.service")
    before = time.monotonic()
    status, said = hook("w1", "pre-down")
    figure(f"hook, pre-down, without mnd: {1000 * (time.monotonic() - before):.0f} ms")
    lab.check("without mnd the hook has nothing to say", status == 0 and not said, f"{status} {said}")


def taken_down(lab, desktop):
    """By NetworkManager, while mnd hangs."""
    def state():
        return run("nmcli", "-g", "GENERAL.STATE", "device", "show", "w1").strip()

    def unanswered():
        said = run("journalctl", "-o", "cat", "-u", "NetworkManager-dispatcher.service")
        return said.count("pre-down w1: mnd has not answered")
    before = unanswered()
    run("nmcli", "--wait", "60", "connection", "down", "net1", check=False)
    lab.check("NetworkManager takes a link down while mnd hangs", state().startswith("30 "), state())
    lab.check("after its hook has given up", wait_for(lambda: unanswered() == before + 1, 10, 0.2), (before, unanswered()))
    desktop.up("net1")
    lab.check("and up again", state().startswith("100 "), state())
