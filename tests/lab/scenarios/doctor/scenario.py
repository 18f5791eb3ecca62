"""Things are broken one after the other, each for real: mip6ctl doctor finds that one alone, with what to do about it,
and nothing any more once it is mended."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import common
from lab import PATIENCE_FACTOR, RUN, inside, program, run, wait_for


def modprobe(*words, check=True):
    """Nothing but the lab can load a module in there."""
    run("modprobe", "-d", os.environ["LAB_MODULES"], "-S", os.environ["LAB_KERNEL"], *words, check=check)


def scenario(lab, more=None):
    common.charons(lab, "mn", "ha")
    modprobe("-r", "mip6")
    lab.node("mn")
    breaks(lab, "kernel", "mip6", "no module mip6")
    modprobe("mip6")
    lab.agent()
    mended(lab, "module loaded")
    running(lab)
    if more:
        more(lab)
    stopped(lab)


def doctor():
    """(exit code, {check: what and remedy}); None while it says nothing that can be read."""
    command = [program("mip6ctl"), "--socket", f"{RUN}/mn.control", "doctor", "--json", "--config", f"{RUN}/mn.conf"]
    done = inside("mn", lambda: subprocess.run(command, capture_output=True, text=True, check=False,
                                               timeout=10 * PATIENCE_FACTOR))
    try:
        findings = json.loads(done.stdout)["findings"]
    except (ValueError, KeyError):
        return done.returncode, {"none": done.stdout + done.stderr}
    return done.returncode, {one["check"]: f"{one['what']}; {one['remedy']}" if one["what"] and one["remedy"] else ""
                             for one in findings}


def breaks(lab, check, words, what, beside=()):
    """That finding and those beside it, no others; `words` are in it. Waits: a silence takes its time."""
    def found():
        said = doctor()
        return said if said[0] == 1 and set(said[1]) == {check, *beside} and words in said[1][check] else None
    lab.check(f"{what}: the doctor finds exactly that", wait_for(found, 20, 0.5), doctor())


def mended(lab, what):
    ok = wait_for(lambda: lab.registered_at("mn"), 40, 0.2) and wait_for(lambda: doctor() == (0, {}), 10, 0.5)
    lab.check(f"{what}: then it finds nothing", ok, doctor())


def running(lab):
    """While mnd runs."""
    run("ip", "link", "set", "w1", "mtu", "1300", namespace="mn")
    breaks(lab, "mtu", "ip link set w1 mtu", "MTU too small")
    run("ip", "link", "set", "w1", "mtu", "1500", namespace="mn")
    mended(lab, "MTU as before")

    lab.stop("charon.mn")
    breaks(lab, "charon", "systemctl start strongswan", "charon not running")
    lab.charon("mn")
    mended(lab, "charon started")

    common.link("w1", "down")
    common.link("w2", "down")
    breaks(lab, "network", "IPv6", "no network")
    common.link("w1", "up")
    common.link("w2", "up")
    mended(lab, "networks back")

    lab.processes["ha"].send_signal(signal.SIGSTOP)
    lab.status("mn", "refresh")
    breaks(lab, "home-agent", "answer", "home agent silent")
    lab.processes["ha"].send_signal(signal.SIGCONT)
    mended(lab, "home agent answers")

    apart = time.time() - time.monotonic()
    time.clock_settime(time.CLOCK_REALTIME, 1_000_000_000)
    breaks(lab, "clock", "timedatectl", "clock wrong")
    time.clock_settime(time.CLOCK_REALTIME, time.monotonic() + apart)
    mended(lab, "clock set")

    lab.stop("mnd.mn")
    lab.node("mn", wrong={"secret": "not the one that it has"})
    breaks(lab, "key-exchange", "secret", "wrong secret")
    lab.stop("mnd.mn")
    lab.node("mn")
    mended(lab, "right secret")


def stopped(lab):
    """Without mnd: that is the first finding, and the only one where nothing else is wrong."""
    lab.stop("mnd.mn")

    def well(what):
        breaks(lab, "running", "systemctl start mnd", what)

    well("mnd not running")
    settings = (line.partition(" = ") for line in (RUN / "mn.conf").read_text(encoding="utf-8").splitlines())
    secret = next(Path(value) for key, _, value in settings if key in ("secret-file", "certificate"))
    mode = secret.stat().st_mode
    secret.chmod(0o644)
    breaks(lab, "configuration", f"chmod 0640 {secret}", "a secret that others can read", ["running"])
    secret.chmod(mode)
    well("mode as before")

    state = lab.state / "mn.state"
    away = state.rename(lab.state / "away")
    breaks(lab, "state-directory", str(state), "no state folder", ["running"])
    away.rename(state)
    well("state folder back")

    setting = "net.ipv6.conf.all.disable_ipv6"
    run("sysctl", "-qw", f"{setting}=1", namespace="mn")
    breaks(lab, "ipv6", setting, "IPv6 switched off", ["running"])
    run("sysctl", "-qw", f"{setting}=0", namespace="mn")
    well("IPv6 as before")
    lab.linked()
    lab.node("mn")
    mended(lab, "mnd runs again")
