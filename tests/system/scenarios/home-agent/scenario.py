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
from leftovers import difference, snapshot
from traffic import Pings

COMMANDS = Path(__file__).parent / "router.sh"
UNITS = Path("/etc/systemd/system")
BOTH = f"{1 << 12 | 1 << 13:016x}"  # CAP_NET_ADMIN, CAP_NET_RAW
RIGHTS = ("CapEff", "CapPrm", "CapInh", "CapBnd", "CapAmb")
LATER = Path("/srv/packages/later")
VICI = Path("/run/charon.vici")


def scenario(lab):
    desktop = Desktop(lab)
    desktop.connection("net1", "w1", "mnd.preference=1")
    before = {"ha": router(lab)}
    run("tar", "-C", "/etc", "-xf", "/root/laptop.tar")
    desktop.up("net1")
    before["mn"] = snapshot("mn", VICI)
    run("systemctl", "start", "mnd.service")
    at = lab.wait_registered("mn", timeout=40, on="w1")
    lab.check("the laptop registers", at, lab.status_text())
    lab.check("it is reached at its home address", wait_for(
        lambda: run("ping", "-c", "1", "-W", "2", HOME_ADDRESS, namespace="cn", check=False).find(" 1 received") > 0, 20, 0.2))
    for unit in ("mnd", "mip6-ha"):
        lab.check(f"{unit} runs as user mnd", process(unit).get("Uid") == run("id", "-u", "mnd").strip(), process(unit))
        lab.check(f"{unit} may do what it needs and no more", [process(unit).get(one) for one in RIGHTS] == [BOTH] * 5,
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
    begins_alone(lab)
    hangs(lab)
    goes(lab, before)


def router(lab):
    """The README's commands in its namespace of the lab, beside a charon of its own: there is one system here. What is there
    before them."""
    lab.charon("ha")
    for words in (("link", "set", "home", "down"), ("link", "set", "home", "name", "eth1"), ("link", "set", "eth1", "up"),
                  ("address", "add", f"{HOME_AGENT}/64", "dev", "eth1", "nodad")):
        run("ip", "-n", "ha", *words)
    socket = lab.vici_socket("ha")
    run("setfacl", "-m", "u:mnd:rw", str(socket))
    drop_in("mip6-ha", f"NetworkNamespacePath=/run/netns/ha\nBindPaths={socket}:{VICI}\n")
    before = snapshot("ha", socket)
    done = inside("ha", lambda: subprocess.run(["bash", "-e", COMMANDS], cwd="/root", capture_output=True, text=True,
                                               check=False))
    lab.check("the README's commands make a home agent, in which its doctor finds nothing", done.returncode == 0,
              done.stdout + done.stderr)
    lab.check("the home agent runs", run("systemctl", "is-active", "mip6-ha.service", check=False).strip() == "active",
              run("systemctl", "status", "mip6-ha.service", check=False))
    return before


def drop_in(unit, service):
    folder = UNITS / f"{unit}.service.d"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "lab.conf").write_text(f"[Service]\n{service}", encoding="utf-8")
    run("systemctl", "daemon-reload")


def main_pid(unit):
    return run("systemctl", "show", "-P", "MainPID", f"{unit}.service").strip()


def process(unit):
    """{name: value} of /proc/PID/status, the effective one of several."""
    lines = Path(f"/proc/{main_pid(unit)}/status").read_text(encoding="utf-8").splitlines()
    return {name: value.split()[-1] for name, _, value in (line.partition(":") for line in lines)
            if name in ("Uid", "Gid", "NoNewPrivs", "Seccomp", *RIGHTS) and value.split()}


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


def begins_alone(lab):
    run("systemctl", "stop", "mnd.service", "strongswan.service")
    drop_in("mnd", "WatchdogSec=10\n")
    run("systemctl", "mask", "--runtime", "strongswan.service")  # which mnd.service wants
    run("systemctl", "start", "mnd.service")
    said = lab.status()
    lab.check("mnd starts without charon, and says so", said.get("keying", {}).get("state") == "charon not reachable", said)
    run("systemctl", "unmask", "--runtime", "strongswan.service")
    run("systemctl", "start", "strongswan.service")
    lab.check("it registers when charon has come", lab.wait_registered("mn", timeout=40, on="w1"), lab.status_text())


def hangs(lab):
    def restarts():
        return run("systemctl", "show", "-P", "NRestarts", "mnd.service").strip()
    pid = main_pid("mnd")
    lab.check("the watchdog leaves mnd alone while it works", restarts() == "0", restarts())
    run("kill", "-STOP", pid)
    lab.check("systemd starts mnd again when it hangs", wait_for(
        lambda: restarts() == "1" and main_pid("mnd") not in ("0", pid), 30, 0.5), (pid, restarts(), main_pid("mnd")))
    lab.check("and it registers", lab.wait_registered("mn", timeout=40, on="w1"), lab.status_text())


def goes(lab, before):
    """While the laptop is registered."""
    user, at, let_in = run("id", "-u", "mnd").strip(), lab.registered_at("mn"), acl()

    def dpkg(action, *packages):
        done = subprocess.run(["dpkg", action, *packages], capture_output=True, text=True, check=False)
        lab.check(f"dpkg {action} {' '.join(packages)}", done.returncode == 0, done.stdout + done.stderr)
    listed = run("mip6-ha", "list", "--json")
    dpkg("--remove", "mnd")
    lab.check("mnd that is removed has de-registered", at and at in listed and at not in run("mip6-ha", "list", "--json"),
              (at, listed, run("mip6-ha", "list")))
    dpkg("--remove", "mip6-ha")
    run("umount", "/var/lib/mnd", "/var/lib/mip6-ha")  # they are folders elsewhere
    dpkg("--purge", "mnd", "mip6-ha")
    for namespace, socket in (("mn", VICI), ("ha", lab.vici_socket("ha"))):
        def left(n=namespace, s=socket):
            now = snapshot(n, s)
            return difference(before[n], now) + difference(now, before[n])
        lab.check(f"nothing of theirs is left in {namespace}", wait_for(lambda f=left: not f(), 5, 0.5), left())
    lab.check("charon's socket is closed to them", f"user:{user}:rw-" in let_in and
              acl() == [entry for entry in let_in if entry != f"user:{user}:rw-"], (let_in, acl()))
    files = run("find", "/run", "/tmp", "/var/tmp", "-path", str(RUN), "-prune", "-o", "-name", "var-lib-*.mount", "-o",
                "(", "-uid", user, "-o", "-name", "*mnd*", "-o", "-name", "*mip6*", ")", "-print")
    lab.check("no file is left in /run and in /tmp", not files, files)
    processes = run("pgrep", "-l", "-U", user, check=False)
    lab.check("no process is left", not processes, processes)


def acl():
    return run("getfacl", "-cnp", str(VICI)).split()
