"""The README's commands of an operator, and of the laptop that gets the archive, with the units as they are installed: both
daemons run as user mnd, and what root writes beside them they can read. Later packages of both while the laptop is registered:
mnd is taken over in place, no ping is lost."""

import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path

import vici
from desktop import Desktop, figure
from lab import HOME_ADDRESS, HOME_AGENT, RUN, inside, run, wait_for
from traffic import Pings

COMMANDS = Path(__file__).parent / "router.sh"
UNIT = Path("/etc/systemd/system/mip6-ha.service.d")
LATER = Path("/srv/packages/later")
VICI = Path("/run/charon.vici")


def scenario(lab):
    desktop = Desktop(lab)
    desktop.connection("net1", "w1")
    router(lab)
    run("tar", "-C", "/etc", "-xf", "/root/laptop.tar")
    desktop.up("net1")
    run("systemctl", "start", "mnd.service")
    at = lab.wait_registered("mn", timeout=40, on="w1")
    lab.check("the laptop registers", at, lab.status_text())
    lab.check("it is reached at its home address", wait_for(
        lambda: run("ping", "-c", "1", "-W", "2", HOME_ADDRESS, namespace="cn", check=False).find(" 1 received") > 0, 20, 0.2))
    for unit in ("mnd", "mip6-ha"):
        lab.check(f"{unit} runs as user mnd", process(unit).get("Uid") == run("id", "-u", "mnd").strip(), process(unit))
        lab.check(f"{unit} may do what it needs and no more", process(unit).get("CapEff") == f"{1 << 12 | 1 << 13:016x}",
                  process(unit))
        lab.check(f"{unit} can get no further privileges, and its system calls are filtered",
                  process(unit).get("NoNewPrivs") == "1" and process(unit).get("Seccomp") == "2", process(unit))
        lab.check(f"{unit} goes before what else wakes up", os.getpriority(os.PRIO_PROCESS, int(main_pid(unit))) == -10)
    other = subprocess.run(["mip6-ha", "add", "phone", "--certificate", "--out", "/root/phone.tar"], capture_output=True,
                           text=True, check=False)
    lab.check("a node with a certificate is added beside them", other.returncode == 0, other.stdout + other.stderr)
    lab.check("the home agent serves it", '"phone"' in run("mip6-ha", "list", "--json"), run("mip6-ha", "list"))
    run("systemctl", "restart", "mip6-ha.service")
    lab.check("and after a restart", wait_for(lambda: '"phone"' in run("mip6-ha", "list", "--json", check=False), 20, 0.2))
    upgrade(lab)


def router(lab):
    """The README's commands in its namespace of the lab, beside a charon of its own: there is one system here."""
    lab.charon("ha")
    for words in (("link", "set", "home", "down"), ("link", "set", "home", "name", "eth1"), ("link", "set", "eth1", "up"),
                  ("address", "add", f"{HOME_AGENT}/64", "dev", "eth1", "nodad")):
        run("ip", "-n", "ha", *words)
    socket = lab.vici_socket("ha")
    run("setfacl", "-m", "u:mnd:rw", str(socket))
    UNIT.mkdir(parents=True)
    (UNIT / "lab.conf").write_text(f"[Service]\nNetworkNamespacePath=/run/netns/ha\nBindPaths={socket}:{VICI}\n",
                                   encoding="utf-8")
    run("systemctl", "daemon-reload")
    done = inside("ha", lambda: subprocess.run(["bash", "-e", COMMANDS], cwd="/root", capture_output=True, text=True,
                                               check=False))
    lab.check("the README's commands make a home agent, in which its doctor finds nothing", done.returncode == 0,
              done.stdout + done.stderr)
    lab.check("the home agent runs", run("systemctl", "is-active", "mip6-ha.service", check=False).strip() == "active",
              run("systemctl", "status", "mip6-ha.service", check=False))


def main_pid(unit):
    return run("systemctl", "show", "-P", "MainPID", f"{unit}.service").strip()


def process(unit):
    """{name: value} of /proc/PID/status, the effective one of several."""
    lines = Path(f"/proc/{main_pid(unit)}/status").read_text(encoding="utf-8").splitlines()
    return {name: value.split()[-1] for name, _, value in (line.partition(":") for line in lines)
            if name in ("Uid", "Gid", "CapEff", "NoNewPrivs", "Seccomp") and value.split()}


def upgrade(lab):
    settled = {}  # the home agent that was started again above gives the laptop new keys
    wait_for(lambda: settled.update(seen(lab)) or settled["at"] and settled["ike"] and len(settled["esp"]) == 2, 20, 0.2)
    lost, started = upgraded(lab, "mnd")
    lab.check("mnd is started again", version().get("started") not in (None, started), (started, version()))
    wait_for(lambda: seen(lab) == settled, 10, 0.2)
    lab.check("in the same process, with the same registration and keys", settled["ike"] and seen(lab) == settled,
              (settled, seen(lab)))
    lab.check("no ping is lost by the upgrade of mnd", lost == 0, lost)
    upgraded(lab, "mip6-ha")
    lab.check("the home agent has the laptop's binding after its upgrade", wait_for(
        lambda: settled["at"] in run("mip6-ha", "list", "--json", check=False), 20, 0.2), run("mip6-ha", "list", check=False))
    lab.check("mnd is the same process", wait_for(lambda: seen(lab)["at"] == settled["at"], 20, 0.2) and
              seen(lab)["pid"] == settled["pid"], (settled, seen(lab)))
    run("systemctl", "reload", "mnd.service")
    events = run("mip6ctl", "events")
    lab.check("systemctl reload: mnd reads its configuration again", "reload" in events, events)


def upgraded(lab, package):
    """Pings without an answer, None if there is no figure, and since when mnd ran before."""
    lab.start(f"ping.{package}", "cn", "ping", "-n", "-D", "-i", "0.05", HOME_ADDRESS)
    log = RUN / f"ping.{package}.log"
    wait_for(lambda: log.read_text(encoding="utf-8").count("bytes from") > 5, 20, 0.2)
    begin, started = time.time(), version().get("started")
    done = subprocess.run(["dpkg", "-i", *map(str, LATER.glob(f"{package}_*.deb"))], capture_output=True, text=True,
                          check=False)
    lab.check(f"{package} is upgraded", done.returncode == 0 and "+later" in run("dpkg-query", "-W", package),
              done.stdout + done.stderr)
    end = time.time()
    program = Path(f"/usr/sbin/{package}").stat().st_ino
    lab.check(f"the new {package} runs", wait_for(
        lambda: Path(f"/proc/{main_pid(package)}/exe").stat().st_ino == program, 20, 0.2),
        run("systemctl", "status", package, check=False))
    time.sleep(1)
    lab.stop(f"ping.{package}", signal.SIGINT)
    pings = Pings(log.read_text(encoding="utf-8"))
    lost = pings.lost(end)
    figure(f"upgrade of {package}: {end - begin:.1f} s, {pings.transmitted} pings, {len(lost)} lost, longest gap "
           f"{pings.longest_gap(begin, end):.0f} ms")
    return (len(lost) if pings.transmitted else None), started


def seen(lab):
    """What an upgrade leaves as it was."""
    return {"pid": main_pid("mnd"), "at": lab.registered_at("mn"), "ike": [sa["uniqueid"] for sa in vici.ike_sas(VICI)],
            "esp": sorted(re.findall(r"proto esp spi (\S+)", run("ip", "xfrm", "state")))}


def version():
    return json.loads(run("mip6ctl", "--json", "version", check=False) or "{}")
