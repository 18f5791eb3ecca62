"""Things are broken one after the other, each for real: mip6ctl doctor finds that one alone, with what to do about it,
and nothing any more once it is mended; by what it says, where that is a command for this machine."""

import json
import os
import re
import shlex
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
    breaks(lab, "kernel", "modprobe -a xfrm_user esp6 mip6", "no module mip6")
    modprobe("mip6")
    lab.agent()
    mended(lab, "module loaded")
    running(lab)
    if more:
        more(lab)
    stopped(lab)


def doctor():
    """(exit code, {check: (what, remedy)}); not so while it says nothing that can be read."""
    command = [program("mip6ctl"), "--socket", f"{RUN}/mn.control", "doctor", "--json", "--config", f"{RUN}/mn.conf"]
    done = inside("mn", lambda: subprocess.run(command, capture_output=True, text=True, check=False,
                                               timeout=10 * PATIENCE_FACTOR))
    try:
        findings = json.loads(done.stdout)["findings"]
    except (ValueError, KeyError):
        return done.returncode, {"none": (done.stdout + done.stderr, "")}
    if len({one["check"] for one in findings}) < len(findings):
        return done.returncode, {"one of them twice": (done.stdout, "")}
    return done.returncode, {one["check"]: (one["what"], one["remedy"]) for one in findings}


def breaks(lab, check, remedy, what, beside=(), said=""):
    """That finding and those beside it, no others; `remedy` is in what is to be done about it, `said` in what is wrong. Waits:
    a silence takes its time. Gives the whole of what is to be done."""
    def found():
        code, findings = doctor()
        if code != 1 or set(findings) != {check, *beside} or not all(map(all, findings.values())):
            return None
        return findings[check][1] if remedy in findings[check][1] and said in findings[check][0] else None
    whole = wait_for(found, 20, 0.5)
    lab.check(f"{what}: the doctor finds exactly that", whole, doctor())
    return whole or ""


def obey(remedy):
    """The first command of it, as somebody types it who reads it; what becomes of it mended() tells."""
    if command := shlex.split(re.split("[;,] ", remedy)[0]):
        run(*command, namespace="mn", check=False)


def mended(lab, what):
    ok = wait_for(lambda: lab.registered_at("mn"), 40, 0.2) and wait_for(lambda: doctor() == (0, {}), 10, 0.5)
    lab.check(f"{what}: then it finds nothing", ok, doctor())


def running(lab):
    """While mnd runs."""
    run("ip", "link", "set", "w1", "mtu", "1300", namespace="mn")
    obey(breaks(lab, "mtu", "ip link set w1 mtu 1500", "MTU too small"))
    mended(lab, "MTU as the doctor says")

    lab.stop("charon.mn")
    breaks(lab, "charon", "systemctl start strongswan", "charon not running")
    lab.charon("mn")
    mended(lab, "charon started")

    common.link("w1", "down")
    common.link("w2", "down")
    breaks(lab, "network", "connect to a network with IPv6; ip -6 address", "no network")
    common.link("w1", "up")
    common.link("w2", "up")
    mended(lab, "networks back")

    lab.processes["ha"].send_signal(signal.SIGSTOP)
    lab.status("mn", "refresh")
    breaks(lab, "home-agent", "check that the home agent is running", "home agent silent", said="does not answer")
    lab.processes["ha"].send_signal(signal.SIGCONT)
    mended(lab, "home agent answers")

    apart = time.time() - time.monotonic()
    time.clock_settime(time.CLOCK_REALTIME, 1_000_000_000)
    breaks(lab, "clock", "timedatectl set-ntp true", "clock wrong")
    time.clock_settime(time.CLOCK_REALTIME, time.monotonic() + apart)
    mended(lab, "clock set")

    lab.stop("mnd.mn")
    lab.node("mn", wrong={"secret": "not the one that it has"})
    breaks(lab, "key-exchange", "check identity and secret here and at the home agent", "wrong secret")
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
    obey(breaks(lab, "configuration", f"chmod 0640 {secret}", "a secret that others can read", ["running"]))
    well("mode as the doctor says")
    secret.chmod(mode)

    state = lab.state / "mn.state"
    away = state.rename(lab.state / "away")
    breaks(lab, "state-directory", f"install -d -o mnd -g mnd -m 0700 {state}", "no state folder", ["running"])
    away.rename(state)
    well("state folder back")

    setting = "net.ipv6.conf.all.disable_ipv6"
    run("sysctl", "-qw", f"{setting}=1", namespace="mn")
    obey(breaks(lab, "ipv6", f"sysctl -w {setting}=0", "IPv6 switched off", ["running"]))
    well("IPv6 as the doctor says")
    lab.linked()
    lab.node("mn")
    mended(lab, "mnd runs again")
